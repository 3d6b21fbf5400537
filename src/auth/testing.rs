//! What the tests of this layer share: issuers that really sign, a fake place to fetch their keys from, and a
//! client certificate.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{CertificateParams, DnType, KeyPair, PublicKeyData, RsaKeySize, SanType};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::issuer_keys::FetchJwks;

pub(super) const ISSUER: &str = "https://sso.example";

pub(super) fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// One key pair of an issuer.
pub(super) struct Issuer {
    kid: &'static str,
    algorithm: Algorithm,
    pair: Arc<KeyPair>,
    signing: EncodingKey,
}

/// Making an RSA key takes a while, so the tests share one.
static RSA: LazyLock<Arc<KeyPair>> =
    LazyLock::new(|| Arc::new(KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()));

impl Issuer {
    pub(super) fn rs256(kid: &'static str) -> Self {
        Self::rsa(kid, Algorithm::RS256)
    }

    pub(super) fn ps256(kid: &'static str) -> Self {
        Self::rsa(kid, Algorithm::PS256)
    }

    pub(super) fn es256(kid: &'static str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let signing = EncodingKey::from_ec_der(pair.serialized_der());
        Self { kid, algorithm: Algorithm::ES256, pair: Arc::new(pair), signing }
    }

    pub(super) fn es384(kid: &'static str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let signing = EncodingKey::from_ec_der(pair.serialized_der());
        Self { kid, algorithm: Algorithm::ES384, pair: Arc::new(pair), signing }
    }

    pub(super) fn eddsa(kid: &'static str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let signing = EncodingKey::from_ed_der(pair.serialized_der());
        Self { kid, algorithm: Algorithm::EdDSA, pair: Arc::new(pair), signing }
    }

    fn rsa(kid: &'static str, algorithm: Algorithm) -> Self {
        let signing = EncodingKey::from_rsa_pem(RSA.serialize_pem().as_bytes()).unwrap();
        Self { kid, algorithm, pair: Arc::clone(&RSA), signing }
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        encode(&Header { kid: Some(self.kid.into()), ..Header::new(self.algorithm) }, claims, &self.signing).unwrap()
    }

    pub(super) fn sign_nameless(&self, claims: &Value) -> String {
        encode(&Header::new(self.algorithm), claims, &self.signing).unwrap()
    }

    /// The public key as an issuer publishes it.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = match self.algorithm {
            // `Jwk` wants a longer private key than rcgen writes.
            Algorithm::EdDSA => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(self.pair.public_key_raw()) })
            }
            _ => serde_json::to_value(Jwk::from_encoding_key(&self.signing, self.algorithm).unwrap()).unwrap(),
        };
        jwk["kid"] = self.kid.into();
        jwk
    }

    pub(super) fn jwks(issuers: &[&Self]) -> String {
        json!({ "keys": issuers.iter().map(|issuer| issuer.jwk()).collect::<Vec<_>>() }).to_string()
    }

    pub(super) fn public_pem(&self) -> String {
        self.pair.public_key_pem()
    }

    pub(super) fn public_der(&self) -> Vec<u8> {
        self.pair.subject_public_key_info()
    }

    pub(super) fn modulus(&self) -> Vec<u8> {
        self.jwk()["n"].as_str().unwrap().as_bytes().to_vec()
    }
}

/// A place where an issuer publishes its keys, which can be slow or broken.
pub(super) struct FakeIssuer {
    published: Mutex<Result<String, String>>,
    fetches: AtomicUsize,
    held: watch::Sender<bool>,
}

impl FakeIssuer {
    pub(super) fn publishing(issuers: &[&Issuer]) -> Arc<Self> {
        let published = Mutex::new(Ok(Issuer::jwks(issuers)));
        Arc::new(Self { published, fetches: AtomicUsize::new(0), held: watch::Sender::new(false) })
    }

    pub(super) fn publish(&self, issuers: &[&Issuer]) {
        *self.published.lock().unwrap() = Ok(Issuer::jwks(issuers));
    }

    pub(super) fn break_down(&self) {
        *self.published.lock().unwrap() = Err("status 503".into());
    }

    pub(super) fn fetches(&self) -> usize {
        self.fetches.load(SeqCst)
    }

    /// From now on no fetch is answered, until [`FakeIssuer::release`].
    pub(super) fn hold(&self) {
        self.held.send_replace(true);
    }

    pub(super) fn release(&self) {
        self.held.send_replace(false);
    }
}

impl FetchJwks for FakeIssuer {
    fn fetch<'a>(&'a self, _url: &'a str) -> BoxFuture<'a, Result<Bytes, String>> {
        self.fetches.fetch_add(1, SeqCst);
        async move {
            let _ = self.held.subscribe().wait_for(|held| !held).await;
            self.published.lock().unwrap().clone().map(Bytes::from)
        }
        .boxed()
    }
}

/// For tests in which nothing must be fetched.
pub(super) struct NoIssuer;

impl FetchJwks for NoIssuer {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Bytes, String>> {
        panic!("`{url}` must not be fetched")
    }
}

/// Of `billing-service` in the unit `support`, with names of every kind.
pub(super) fn client_certificate() -> Vec<u8> {
    static DER: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationalUnitName, "support");
        params.distinguished_name.push(DnType::CommonName, "billing-service");
        params.subject_alt_names = vec![
            SanType::DnsName("a.example".try_into().unwrap()),
            SanType::URI("spiffe://example/billing".try_into().unwrap()),
            SanType::Rfc822Name("billing@example.com".try_into().unwrap()),
            SanType::DnsName("b.example".try_into().unwrap()),
        ];
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    });
    DER.clone()
}
