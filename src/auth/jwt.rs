//! Signed tokens (RFC 7519), verified with their issuer's public keys.
//!
//! Nothing a token says is believed before its signature holds, and the token does not choose how it is
//! verified: `none` and the HMAC algorithms are refused by name, and every key is bound to its own algorithms
//! (see [`KeySet`]). RFC 8725 is the list of mistakes this avoids.
//!
//! Encrypted tokens are not read, and a token's own `jku`, `jwk` and `x5c` are ignored.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::caller::Caller;
use super::claims::ClaimMap;
use super::issuer_keys::{FetchJwks, IssuerKeys};
use super::jwks::KeySet;
use super::rejected::Rejected;

/// Whose tokens count, and what they say about a caller.
#[derive(Debug, Clone)]
pub struct JwtSpec {
    /// What `iss` must be, to the letter.
    pub issuer: String,
    /// What `aud` must contain one of. Empty: every token of the issuer is accepted, also those it made for
    /// other services.
    pub audience: Vec<String>,
    pub jwks: JwksSource,
    /// How far the issuer's clock may differ from ours.
    pub leeway: Duration,
    pub claims: ClaimMap,
}

/// Where the issuer's keys are.
#[derive(Debug, Clone)]
pub enum JwksSource {
    /// Fetched, cached and kept fresh.
    Url(String),
    /// The text of a key set, read from a file.
    Document(String),
}

/// The verifier of one issuer's tokens.
pub(super) struct Tokens {
    issuer: String,
    audience: Vec<String>,
    /// In seconds.
    leeway: f64,
    claims: ClaimMap,
    pub(super) keys: Arc<IssuerKeys>,
}

impl Tokens {
    /// Takes over the keys of `previous` if they come from the same URL, so that a reload fetches nothing.
    pub(super) fn new(spec: &JwtSpec, fetch: Arc<dyn FetchJwks>, previous: Option<&Self>) -> Result<Self, String> {
        let keys = match &spec.jwks {
            JwksSource::Document(text) => Arc::new(IssuerKeys::fixed(KeySet::parse(text.as_bytes())?)),
            JwksSource::Url(url) => match previous.filter(|previous| previous.keys.url() == Some(url)) {
                Some(previous) => Arc::clone(&previous.keys),
                None => Arc::new(IssuerKeys::at_url(url, fetch)),
            },
        };
        Ok(Self {
            issuer: spec.issuer.clone(),
            audience: spec.audience.clone(),
            leeway: spec.leeway.as_secs_f64(),
            claims: spec.claims.clone(),
            keys,
        })
    }

    /// Never waits: a token whose key we do not have is [`Rejected::UnknownSigner`].
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<Caller, Rejected> {
        let (message, signature) = token.rsplit_once('.').ok_or(Rejected::Unknown)?;
        let (header, payload) = message.split_once('.').ok_or(Rejected::Unknown)?;
        let header: Header = decode(header).ok_or(NOT_A_TOKEN)?;
        let algorithm = header.algorithm()?;
        let keys = self.keys.current().ok_or(Rejected::IssuerSilent)?;
        let key = keys.select(header.kid.as_deref(), algorithm).ok_or(Rejected::UnknownSigner)?;
        if !jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm).unwrap_or(false) {
            // Without a name, another key may have taken the place of the only one we know.
            return Err(if header.kid.is_none() { Rejected::UnknownSigner } else { WRONG_SIGNATURE });
        }
        let claims: Map<String, Value> = decode(payload).ok_or(NOT_A_TOKEN)?;
        self.check_parties(&claims)?;
        self.check_time(&claims, now)?;
        Ok(self.claims.caller(claims))
    }

    fn check_parties(&self, claims: &Map<String, Value>) -> Result<(), Rejected> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(Rejected::because("the token is from another issuer"));
        }
        if self.audience.is_empty() || claims.get("aud").is_some_and(|audience| self.is_meant(audience)) {
            return Ok(());
        }
        Err(Rejected::because("the token is for another audience"))
    }

    fn is_meant(&self, audience: &Value) -> bool {
        let ours = |value: &Value| value.as_str().is_some_and(|name| self.audience.iter().any(|our| our == name));
        match audience {
            Value::Array(names) => names.iter().any(ours),
            name => ours(name),
        }
    }

    fn check_time(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<(), Rejected> {
        let now = now.as_duration().as_secs_f64();
        match claims.get("exp").map(Value::as_f64) {
            Some(Some(expires)) if now < expires + self.leeway => {}
            Some(Some(_)) => return Err(Rejected::because("the token has expired")),
            Some(None) | None => return Err(Rejected::because("the token does not say when it expires")),
        }
        match claims.get("nbf").map(Value::as_f64) {
            None => Ok(()),
            Some(Some(begins)) if begins <= now + self.leeway => Ok(()),
            Some(_) => Err(Rejected::because("the token is not valid yet")),
        }
    }
}

/// The part of a token's header that decides.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

impl Header {
    fn algorithm(&self) -> Result<Algorithm, Rejected> {
        // RFC 7515 section 4.1.11: what is marked critical must be understood, and we understand none.
        if self.crit.is_some() {
            return Err(Rejected::because("the token has a critical header that is not known here"));
        }
        let refused = || Rejected::because("the token is not signed with an accepted algorithm");
        let algorithm = self.alg.parse().map_err(|_| refused())?;
        if matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) {
            return Err(refused());
        }
        Ok(algorithm)
    }
}

fn decode<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

const NOT_A_TOKEN: Rejected = Rejected::Because(std::borrow::Cow::Borrowed("the token cannot be read"));
const WRONG_SIGNATURE: Rejected = Rejected::Because(std::borrow::Cow::Borrowed("the token's signature is not valid"));

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, encode};
    use serde_json::json;

    use super::*;
    use crate::auth::testing::{ISSUER, Issuer, NoIssuer, at};

    fn tokens(issuers: &[&Issuer]) -> Tokens {
        let claims = ClaimMap {
            team: Some("groups.0".parse().unwrap()),
            user: Some("sub".parse().unwrap()),
            ..ClaimMap::default()
        };
        let jwks = JwksSource::Document(Issuer::jwks(issuers));
        let spec = JwtSpec {
            issuer: ISSUER.into(),
            audience: vec!["tidegate".into()],
            jwks,
            leeway: Duration::from_secs(30),
            claims,
        };
        Tokens::new(&spec, Arc::new(NoIssuer), None).unwrap()
    }

    /// 2026-05-01T12:00:00Z.
    const NOON: i64 = 1_777_636_800;

    fn good() -> Value {
        json!({ "iss": ISSUER, "aud": "tidegate", "sub": "u1", "groups": ["support"], "exp": NOON + 60 })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = good();
        claims[name] = value;
        claims
    }

    fn without(name: &str) -> Value {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(name);
        claims
    }

    fn reason(tokens: &Tokens, token: &str) -> String {
        crate::base::stop::Refusal::from(tokens.verify(token, at("2026-05-01T12:00:00Z")).unwrap_err()).message
    }

    #[test]
    fn tokens_of_every_asymmetric_kind_are_verified() {
        for issuer in
            [Issuer::rs256("k"), Issuer::ps256("k"), Issuer::es256("k"), Issuer::es384("k"), Issuer::eddsa("k")]
        {
            let caller = tokens(&[&issuer]).verify(&issuer.sign(&good()), at("2026-05-01T12:00:00Z")).unwrap();
            assert_eq!((caller.team.as_deref(), caller.user.as_deref()), (Some("support"), Some("u1")));
            assert!(caller.key.is_none() && caller.claims.unwrap().contains_key("groups"));
        }
    }

    #[test]
    fn the_public_key_as_an_hmac_secret_signs_nothing() {
        let issuer = Issuer::rs256("k");
        let tokens = tokens(&[&issuer]);
        for secret in [issuer.public_pem().into_bytes(), issuer.public_der(), issuer.modulus()] {
            let header = jsonwebtoken::Header { kid: Some("k".into()), ..jsonwebtoken::Header::new(Algorithm::HS256) };
            let forged = encode(&header, &good(), &EncodingKey::from_secret(&secret)).unwrap();
            assert_eq!(reason(&tokens, &forged), "the token is not signed with an accepted algorithm");
        }
    }

    #[test]
    fn an_unsigned_token_is_refused_however_it_spells_none() {
        let tokens = tokens(&[&Issuer::es256("k")]);
        for none in ["none", "None", "NONE", "nOnE", ""] {
            let header = URL_SAFE_NO_PAD.encode(json!({ "alg": none, "kid": "k" }).to_string());
            let payload = URL_SAFE_NO_PAD.encode(good().to_string());
            assert_eq!(
                reason(&tokens, &format!("{header}.{payload}.")),
                "the token is not signed with an accepted algorithm"
            );
        }
    }

    #[test]
    fn a_changed_claim_breaks_the_signature() {
        let issuer = Issuer::es256("k");
        let token = issuer.sign(&good());
        let (header, rest) = token.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let payload = URL_SAFE_NO_PAD.encode(with("groups", json!(["admin"])).to_string());
        assert_eq!(
            reason(&tokens(&[&issuer]), &format!("{header}.{payload}.{signature}")),
            "the token's signature is not valid"
        );
    }

    #[test]
    fn a_stranger_who_borrows_a_key_name_is_refused() {
        let (issuer, stranger) = (Issuer::es256("k"), Issuer::es256("k"));
        assert_eq!(reason(&tokens(&[&issuer]), &stranger.sign(&good())), "the token's signature is not valid");
    }

    #[test]
    fn a_token_is_for_its_issuer_and_audience_only() {
        let issuer = Issuer::es256("k");
        let tokens = tokens(&[&issuer]);
        for claims in [with("iss", json!("https://evil.example")), with("iss", json!([ISSUER])), without("iss")] {
            assert_eq!(reason(&tokens, &issuer.sign(&claims)), "the token is from another issuer");
        }
        for claims in [with("aud", json!("billing")), with("aud", json!([])), without("aud")] {
            assert_eq!(reason(&tokens, &issuer.sign(&claims)), "the token is for another audience");
        }
        let several = with("aud", json!(["billing", "tidegate"]));
        assert!(tokens.verify(&issuer.sign(&several), at("2026-05-01T12:00:00Z")).is_ok());
    }

    #[test]
    fn a_token_counts_from_nbf_to_exp_give_or_take_the_leeway() {
        let issuer = Issuer::es256("k");
        let tokens = tokens(&[&issuer]);
        let token = issuer.sign(&with("nbf", json!(NOON)));
        let ok = |time: &str| tokens.verify(&token, at(time)).is_ok();
        assert!(ok("2026-05-01T11:59:30Z") && ok("2026-05-01T12:01:29Z"));
        assert!(!ok("2026-05-01T11:59:29Z") && !ok("2026-05-01T12:01:30Z"));
        assert_eq!(reason(&tokens, &issuer.sign(&with("exp", json!(NOON - 30)))), "the token has expired");
        assert_eq!(reason(&tokens, &issuer.sign(&with("nbf", json!(NOON + 31)))), "the token is not valid yet");
        assert_eq!(reason(&tokens, &issuer.sign(&without("exp"))), "the token does not say when it expires");
        assert_eq!(
            reason(&tokens, &issuer.sign(&with("exp", json!("never")))),
            "the token does not say when it expires"
        );
    }

    #[test]
    fn a_critical_header_is_not_overlooked() {
        let header =
            URL_SAFE_NO_PAD.encode(json!({ "alg": "ES256", "kid": "k", "crit": ["b64"], "b64": false }).to_string());
        assert!(reason(&tokens(&[&Issuer::es256("k")]), &format!("{header}.e30.AA")).contains("critical header"));
    }

    #[test]
    fn a_token_without_a_key_name_is_verified_where_there_is_one_key() {
        let issuer = Issuer::es256("k");
        let token = issuer.sign_nameless(&good());
        assert!(tokens(&[&issuer]).verify(&token, at("2026-05-01T12:00:00Z")).is_ok());
        let doubtful = tokens(&[&issuer, &Issuer::es256("l")]).verify(&token, at("2026-05-01T12:00:00Z"));
        assert_eq!(doubtful.unwrap_err(), Rejected::UnknownSigner);
    }
}
