//! The public keys of an issuer (RFC 7517).
//!
//! Each key is bound, when it is read, to the asymmetric algorithms it can verify. A symmetric key in the
//! set is never used, and no key is ever handed to an HMAC, so a token cannot choose to be "signed" with
//! something public.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// The keys that may have signed a token.
pub(super) struct KeySet(Vec<Signer>);

struct Signer {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl KeySet {
    /// Keys that cannot be used here (for encryption, of a kind we do not know) are passed over, as
    /// RFC 7517 section 5 asks.
    ///
    /// # Errors
    /// If the document is not a key set or no key of it can be used.
    pub(super) fn parse(document: &[u8]) -> Result<Self, String> {
        let set: Document =
            serde_json::from_slice(document).map_err(|error| format!("this is not a set of keys (JWKS): {error}"))?;
        let signers: Vec<_> = set.keys.into_iter().filter_map(Signer::of).collect();
        if signers.is_empty() {
            return Err("the set of keys (JWKS) has none that can verify a signature".into());
        }
        Ok(Self(signers))
    }

    /// The key a token must have been signed with: the one it names; otherwise, if there is no doubt, the
    /// only one that fits its algorithm.
    pub(super) fn select(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let fitting = || self.0.iter().filter(|signer| signer.algorithms.contains(&algorithm));
        if let Some(kid) = kid
            && let Some(named) = fitting().find(|signer| signer.kid.as_deref() == Some(kid))
        {
            return Some(&named.key);
        }
        let mut nameless = fitting().filter(|signer| kid.is_none() || signer.kid.is_none());
        let only = nameless.next()?;
        nameless.next().is_none().then_some(&only.key)
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

impl Signer {
    fn of(value: serde_json::Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        if matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption)) {
            return None;
        }
        let mut algorithms = algorithms_of(&jwk.algorithm).to_vec();
        if let Some(only) = jwk.common.key_algorithm {
            let only = Algorithm::try_from(only).ok()?;
            algorithms.retain(|algorithm| *algorithm == only);
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        (!algorithms.is_empty()).then_some(Self { kid: jwk.common.key_id, algorithms, key })
    }
}

/// What a key can verify by its kind. Nothing here is symmetric.
fn algorithms_of(parameters: &AlgorithmParameters) -> &'static [Algorithm] {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match parameters {
        AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => &[ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => &[ES384],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[EdDSA],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::testing::Issuer;

    fn set(keys: serde_json::Value) -> Result<KeySet, String> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn a_key_is_found_by_its_name() {
        let (a, b) = (Issuer::es256("a"), Issuer::es256("b"));
        let set = set(json!([a.jwk(), b.jwk()])).unwrap();
        assert!(set.select(Some("b"), Algorithm::ES256).is_some());
        assert!(set.select(Some("c"), Algorithm::ES256).is_none());
        assert!(set.select(Some("b"), Algorithm::RS256).is_none());
    }

    #[test]
    fn a_token_without_a_name_is_tried_only_where_there_is_no_choice() {
        let (a, b) = (Issuer::es256("a"), Issuer::es256("b"));
        assert!(set(json!([a.jwk()])).unwrap().select(None, Algorithm::ES256).is_some());
        assert!(set(json!([a.jwk(), b.jwk()])).unwrap().select(None, Algorithm::ES256).is_none());
    }

    #[test]
    fn a_key_without_a_name_serves_a_token_with_one() {
        let mut jwk = Issuer::es256("a").jwk();
        jwk.as_object_mut().unwrap().remove("kid");
        assert!(set(json!([jwk])).unwrap().select(Some("whatever"), Algorithm::ES256).is_some());
    }

    #[test]
    fn keys_we_cannot_use_are_passed_over() {
        let mut encrypting = Issuer::es256("e").jwk();
        encrypting["use"] = "enc".into();
        let symmetric = json!({ "kty": "oct", "kid": "s", "k": "c2VjcmV0", "alg": "HS256" });
        let unknown = json!({ "kty": "AKP", "kid": "u", "pub": "x" });
        assert!(set(json!([encrypting, symmetric, unknown, 7])).is_err());
        let set = set(json!([symmetric, unknown, Issuer::es256("a").jwk()])).unwrap();
        assert!(set.select(Some("s"), Algorithm::HS256).is_none());
        assert!(set.select(Some("a"), Algorithm::ES256).is_some());
    }

    #[test]
    fn a_key_that_names_its_algorithm_serves_no_other() {
        let mut jwk = Issuer::rs256("a").jwk();
        jwk["alg"] = "PS256".into();
        let set = set(json!([jwk])).unwrap();
        assert!(set.select(Some("a"), Algorithm::PS256).is_some());
        assert!(set.select(Some("a"), Algorithm::RS256).is_none());
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        assert!(
            ["", "[]", "{}", "<html>", r#"{"keys":[]}"#].iter().all(|text| KeySet::parse(text.as_bytes()).is_err())
        );
    }
}
