//! The rules of the door, driven as the gateway drives it.

use std::time::Duration;

use http::HeaderValue;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::auth::claims::ClaimMap;
use crate::auth::jwt::JwksSource;
use crate::auth::key::KeyHash;
use crate::auth::testing::{FakeIssuer, ISSUER, Issuer, NoIssuer, at, client_certificate};

const NOW: &str = "2026-05-01T12:00:00Z";
const KEY: &str = "tg-canary-of-k1";
const CANARY: &str = "canary";

fn keys() -> KeyFile {
    let good = KeyHash::of(KEY);
    let (expired, revoked, personal) =
        (KeyHash::of("tg-canary-expired"), KeyHash::of("tg-canary-revoked"), KeyHash::of("tg-canary-personal"));
    KeyFile::parse(&format!(
        "version: 1\nkeys:\n  k1: {{ hash: \"{good}\", team: support }}\n  old: {{ hash: \"{expired}\", expires: 2026-01-01T00:00:00Z }}\n  gone: {{ hash: \"{revoked}\", revoked: true }}\n  mine: {{ hash: \"{personal}\", user: ada }}\n"
    ))
    .unwrap()
}

fn jwt(jwks: JwksSource) -> JwtSpec {
    let claims = ClaimMap { user: Some("sub".parse().unwrap()), ..ClaimMap::default() };
    JwtSpec { issuer: ISSUER.into(), audience: Vec::new(), jwks, leeway: Duration::ZERO, claims }
}

fn from_url() -> JwtSpec {
    jwt(JwksSource::Url("https://sso.example/jwks.json".into()))
}

fn mtls() -> MtlsSpec {
    MtlsSpec { claims: ClaimMap { user: Some("subject.cn".parse().unwrap()), ..ClaimMap::default() } }
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "u1", "exp": 4_000_000_000_u64 })
}

fn door(spec: AuthSpec) -> Authenticator {
    Authenticator::new(&spec, Arc::new(NoIssuer), None).unwrap()
}

fn with_keys() -> Authenticator {
    door(AuthSpec { keys: Some(keys()), ..AuthSpec::default() })
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
}

async fn ask(door: &Authenticator, pairs: &[(&'static str, &str)]) -> Result<Caller, Refusal> {
    let headers = headers(pairs);
    door.authenticate(Presented { headers: &headers, query: None, peer_certificate: None }, at(NOW)).await
}

async fn ask_with_certificate(door: &Authenticator, pairs: &[(&'static str, &str)]) -> Result<Caller, Refusal> {
    let (headers, certificate) = (headers(pairs), client_certificate());
    door.authenticate(Presented { headers: &headers, query: None, peer_certificate: Some(&certificate) }, at(NOW)).await
}

async fn bearer(door: &Authenticator, token: &str) -> Result<Caller, Refusal> {
    ask(door, &[("authorization", &format!("Bearer {token}"))]).await
}

fn key_of(caller: &Caller) -> Option<&str> {
    caller.key.as_ref().map(|key| key.as_str())
}

#[tokio::test]
async fn a_key_is_accepted_in_every_place_a_client_may_put_it() {
    let door = with_keys();
    assert_eq!(key_of(&bearer(&door, KEY).await.unwrap()), Some("k1"));
    for name in ["x-api-key", "api-key", "x-goog-api-key"] {
        assert_eq!(key_of(&ask(&door, &[(name, KEY)]).await.unwrap()), Some("k1"));
    }
    let query = format!("alt=sse&key={KEY}");
    let presented = Presented { headers: &HeaderMap::new(), query: Some(&query), peer_certificate: None };
    assert_eq!(key_of(&door.authenticate(presented, at(NOW)).await.unwrap()), Some("k1"));
}

#[tokio::test]
async fn of_two_credentials_the_one_that_verifies_decides() {
    let door = with_keys();
    let placeholder_first = [("authorization", "Bearer sk-ant-placeholder"), ("x-api-key", KEY)];
    assert_eq!(key_of(&ask(&door, &placeholder_first).await.unwrap()), Some("k1"));
    let both = [("authorization", "Bearer tg-canary-personal"), ("x-api-key", KEY)];
    assert_eq!(key_of(&ask(&door, &both).await.unwrap()), Some("mine"));
}

#[tokio::test]
async fn the_most_telling_reason_is_given_when_several_credentials_fail() {
    let both = [("authorization", "Bearer sk-placeholder"), ("x-api-key", "tg-canary-revoked")];
    assert_eq!(ask(&with_keys(), &both).await.unwrap_err().message, "this key was revoked");
}

#[tokio::test]
async fn a_wrong_key_and_an_unknown_one_are_told_the_same() {
    let door = with_keys();
    let nearly = bearer(&door, "tg-canary-of-k2").await.unwrap_err();
    let nothing_like_it = bearer(&door, "whatever").await.unwrap_err();
    assert_eq!(nearly, nothing_like_it);
    assert_eq!((nearly.status, nearly.code.as_ref()), (401, "invalid_api_key"));
}

#[tokio::test]
async fn expired_and_revoked_keys_are_refused_with_reasons_of_their_own() {
    let door = with_keys();
    assert_eq!(
        bearer(&door, "tg-canary-expired").await.unwrap_err().message,
        "this key expired at 2026-01-01T00:00:00Z"
    );
    assert_eq!(bearer(&door, "tg-canary-revoked").await.unwrap_err().message, "this key was revoked");
}

#[tokio::test]
async fn no_refusal_repeats_a_credential() {
    let issuer = Issuer::es256("k");
    let jwks = JwksSource::Document(Issuer::jwks(&[&issuer]));
    let door = door(AuthSpec { keys: Some(keys()), jwt: Some(jwt(jwks)), ..AuthSpec::default() });
    let expired = issuer.sign(&json!({ "iss": ISSUER, "sub": CANARY, "exp": 1 }));
    let foreign = issuer.sign(&json!({ "iss": CANARY, "exp": 4_000_000_000_u64 }));
    for credential in
        ["tg-canary-unknown", "tg-canary-expired", "tg-canary-revoked", "ey.canary.canary", &expired, &foreign]
    {
        let refusal = bearer(&door, credential).await.unwrap_err();
        assert!(!format!("{refusal:?}").contains(CANARY) && !refusal.message.contains(credential), "{refusal:?}");
    }
}

#[tokio::test]
async fn a_caller_who_shows_nothing_is_told_what_to_send() {
    let refusal = ask(&with_keys(), &[]).await.unwrap_err();
    assert_eq!(refusal.status, 401);
    assert!(refusal.message.contains("`Authorization: Bearer`"));
}

#[tokio::test]
async fn where_only_anonymous_callers_are_expected_every_credential_is_ignored() {
    for anonymous in [Anonymous::Loopback, Anonymous::Everywhere] {
        let door = door(AuthSpec { anonymous, ..AuthSpec::default() });
        let caller = ask(&door, &[("authorization", "Bearer sk-placeholder"), ("x-api-key", "x")]).await.unwrap();
        assert!(caller.key.is_none() && caller.user.is_none());
    }
}

#[tokio::test]
async fn a_wrong_key_does_not_pass_for_an_anonymous_caller() {
    let door = door(AuthSpec { keys: Some(keys()), anonymous: Anonymous::Everywhere, ..AuthSpec::default() });
    assert_eq!(bearer(&door, "tg-wrong").await.unwrap_err().status, 401);
    assert!(ask(&door, &[]).await.unwrap().key.is_none());
    assert_eq!(key_of(&bearer(&door, KEY).await.unwrap()), Some("k1"));
}

#[tokio::test]
async fn tokens_and_keys_live_side_by_side() {
    let issuer = Issuer::es256("k");
    let jwks = JwksSource::Document(Issuer::jwks(&[&issuer]));
    let door = door(AuthSpec { keys: Some(keys()), jwt: Some(jwt(jwks)), ..AuthSpec::default() });
    assert_eq!(bearer(&door, &issuer.sign(&claims())).await.unwrap().user.as_deref(), Some("u1"));
    assert_eq!(key_of(&bearer(&door, KEY).await.unwrap()), Some("k1"));
    assert_eq!(ask(&door, &[("x-api-key", &issuer.sign(&claims()))]).await.unwrap().user.as_deref(), Some("u1"));
}

#[tokio::test]
async fn a_key_is_refused_where_only_tokens_count() {
    let jwks = JwksSource::Document(Issuer::jwks(&[&Issuer::es256("k")]));
    let door = door(AuthSpec { jwt: Some(jwt(jwks)), ..AuthSpec::default() });
    assert_eq!(bearer(&door, KEY).await.unwrap_err().message, "a signed token is needed here");
}

#[tokio::test(start_paused = true)]
async fn the_first_token_fetches_the_keys_of_its_issuer() {
    let issuer = Issuer::es256("k");
    let fake = FakeIssuer::publishing(&[&issuer]);
    let door =
        Authenticator::new(&AuthSpec { jwt: Some(from_url()), ..AuthSpec::default() }, fake.clone(), None).unwrap();
    assert!(bearer(&door, &issuer.sign(&claims())).await.is_ok());
    assert!(bearer(&door, &issuer.sign(&claims())).await.is_ok());
    assert_eq!(fake.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_signed_with_a_new_key_is_accepted_after_one_fetch() {
    let (old, new) = (Issuer::es256("old"), Issuer::es256("new"));
    let fake = FakeIssuer::publishing(&[&old]);
    let door =
        Authenticator::new(&AuthSpec { jwt: Some(from_url()), ..AuthSpec::default() }, fake.clone(), None).unwrap();
    door.tend().await;
    fake.publish(&[&old, &new]);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert!(bearer(&door, &new.sign(&claims())).await.is_ok());
    assert_eq!(fake.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_without_key_names_may_change_its_only_key() {
    let (old, new) = (Issuer::es256("k"), Issuer::es256("k"));
    let fake = FakeIssuer::publishing(&[&old]);
    let door =
        Authenticator::new(&AuthSpec { jwt: Some(from_url()), ..AuthSpec::default() }, fake.clone(), None).unwrap();
    door.tend().await;
    fake.publish(&[&new]);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert!(bearer(&door, &new.sign_nameless(&claims())).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn invented_key_names_do_not_make_us_pester_the_issuer() {
    let fake = FakeIssuer::publishing(&[&Issuer::es256("k")]);
    let door =
        Authenticator::new(&AuthSpec { jwt: Some(from_url()), ..AuthSpec::default() }, fake.clone(), None).unwrap();
    let token = Issuer::es256("invented").sign(&claims());
    for _ in 0..20 {
        assert_eq!(bearer(&door, &token).await.unwrap_err().status, 401);
    }
    assert_eq!(fake.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn callers_with_a_known_key_do_not_wait_for_a_fetch_others_caused() {
    use futures_util::FutureExt;
    let issuer = Issuer::es256("k");
    let fake = FakeIssuer::publishing(&[&issuer]);
    let spec = AuthSpec { jwt: Some(from_url()), keys: Some(keys()), ..AuthSpec::default() };
    let door = Authenticator::new(&spec, fake.clone(), None).unwrap();
    door.tend().await;
    tokio::time::advance(Duration::from_secs(30)).await;
    fake.hold();
    let (unknown, known) = (Issuer::es256("unknown").sign(&claims()), issuer.sign(&claims()));
    let mut stranger = Box::pin(bearer(&door, &unknown));
    assert!(stranger.as_mut().now_or_never().is_none());
    assert!(bearer(&door, &known).now_or_never().unwrap().is_ok());
    assert!(bearer(&door, KEY).now_or_never().unwrap().is_ok());
    fake.release();
    assert_eq!(stranger.await.unwrap_err().status, 401);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_verifies_spares_the_wait_for_a_token_beside_it() {
    let fake = FakeIssuer::publishing(&[&Issuer::es256("k")]);
    let spec = AuthSpec { jwt: Some(from_url()), keys: Some(keys()), ..AuthSpec::default() };
    let door = Authenticator::new(&spec, fake.clone(), None).unwrap();
    let token = format!("Bearer {}", Issuer::es256("unknown").sign(&claims()));
    assert_eq!(key_of(&ask(&door, &[("authorization", &token), ("x-api-key", KEY)]).await.unwrap()), Some("k1"));
    assert_eq!(fake.fetches(), 0);
}

#[tokio::test(start_paused = true)]
async fn while_no_issuer_key_was_ever_had_a_token_is_not_called_wrong() {
    let issuer = Issuer::es256("k");
    let fake = FakeIssuer::publishing(&[&issuer]);
    fake.break_down();
    let door =
        Authenticator::new(&AuthSpec { jwt: Some(from_url()), ..AuthSpec::default() }, fake.clone(), None).unwrap();
    assert_eq!(bearer(&door, &issuer.sign(&claims())).await.unwrap_err().status, 503);
}

#[tokio::test(start_paused = true)]
async fn a_new_revision_takes_over_the_keys_that_were_fetched() {
    let issuer = Issuer::es256("k");
    let fake = FakeIssuer::publishing(&[&issuer]);
    let spec = AuthSpec { jwt: Some(from_url()), ..AuthSpec::default() };
    let before = Authenticator::new(&spec, fake.clone(), None).unwrap();
    before.tend().await;
    let after = Authenticator::new(&spec, fake.clone(), Some(&before)).unwrap();
    assert!(bearer(&after, &issuer.sign(&claims())).await.is_ok());
    assert_eq!(fake.fetches(), 1);
}

#[tokio::test]
async fn a_client_certificate_decides_where_no_credential_was_sent() {
    let door = door(AuthSpec { keys: Some(keys()), mtls: Some(mtls()), ..AuthSpec::default() });
    let caller = ask_with_certificate(&door, &[]).await.unwrap();
    assert_eq!((caller.user.as_deref(), key_of(&caller)), (Some("billing-service"), None));
    assert_eq!(key_of(&ask_with_certificate(&door, &[("x-api-key", KEY)]).await.unwrap()), Some("k1"));
    assert_eq!(ask_with_certificate(&door, &[("x-api-key", "wrong")]).await.unwrap_err().status, 401);
    assert_eq!(ask(&door, &[]).await.unwrap_err().status, 401);
}

#[tokio::test]
async fn where_only_certificates_count_a_placeholder_key_is_ignored() {
    let door = door(AuthSpec { mtls: Some(mtls()), ..AuthSpec::default() });
    assert!(ask_with_certificate(&door, &[("x-api-key", "placeholder")]).await.is_ok());
    assert_eq!(ask(&door, &[("x-api-key", "placeholder")]).await.unwrap_err().status, 401);
}

#[tokio::test]
async fn a_certificate_is_not_looked_at_unless_the_file_says_so() {
    assert_eq!(ask_with_certificate(&with_keys(), &[]).await.unwrap_err().status, 401);
}

#[tokio::test]
async fn a_verified_user_wins_over_a_stated_one() {
    let user = vec!["header x-user-id".parse().unwrap()];
    let door = door(AuthSpec { keys: Some(keys()), user, ..AuthSpec::default() });
    let stating = |key| [("x-api-key", key), ("x-user-id", "mallory")];
    assert_eq!(ask(&door, &stating("tg-canary-personal")).await.unwrap().user.as_deref(), Some("ada"));
    assert_eq!(ask(&door, &stating(KEY)).await.unwrap().user.as_deref(), Some("mallory"));
}

#[tokio::test]
async fn the_body_fills_what_is_still_open() {
    let (user, session) =
        (vec!["body metadata.user_id".parse().unwrap()], vec!["header x-session-id".parse().unwrap()]);
    let door = door(AuthSpec { keys: Some(keys()), user, session, ..AuthSpec::default() });
    assert!(door.reads_body());
    let headers = headers(&[("x-api-key", KEY), ("x-session-id", "s1")]);
    let presented = Presented { headers: &headers, query: None, peer_certificate: None };
    let mut caller = door.authenticate(presented, at(NOW)).await.unwrap();
    assert_eq!((caller.user.as_deref(), caller.session.as_deref()), (None, Some("s1")));
    door.complete(&mut caller, &headers, &|path| (path == "metadata.user_id").then(|| "u9".into()));
    assert_eq!((caller.user.as_deref(), caller.session.as_deref()), (Some("u9"), Some("s1")));
}

proptest! {
    #[test]
    fn no_header_bytes_make_it_panic(name in 0..4usize, value in prop::collection::vec(any::<u8>(), 0..80), query in ".{0,40}") {
        let issuer = Issuer::es256("k");
        let jwks = JwksSource::Document(Issuer::jwks(&[&issuer]));
        let user = vec!["header x-user-id".parse().unwrap()];
        let door = door(AuthSpec { keys: Some(keys()), jwt: Some(jwt(jwks)), mtls: Some(mtls()), user, ..AuthSpec::default() });
        let mut headers = HeaderMap::new();
        for value in [value.clone(), [b"Bearer ".as_slice(), &value].concat(), [b"Bearer ey.".as_slice(), &value, b"."].concat()] {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.insert(["authorization", "x-api-key", "api-key", "x-user-id"][name], value);
            }
            let presented = Presented { headers: &headers, query: Some(&query), peer_certificate: Some(&[0x30, 0x03]) };
            let asked = futures_util::FutureExt::now_or_never(door.authenticate(presented, at(NOW)));
            prop_assert!(asked.is_some_and(|answer| answer.is_err()));
        }
    }

    #[test]
    fn no_token_however_mangled_panics_or_passes(at_byte in 0..400usize, byte in any::<u8>()) {
        let issuer = Issuer::es256("k");
        let jwks = JwksSource::Document(Issuer::jwks(&[&issuer]));
        let door = door(AuthSpec { jwt: Some(jwt(jwks)), ..AuthSpec::default() });
        let mut token = issuer.sign(&claims()).into_bytes();
        let place = at_byte % token.len();
        prop_assume!(token[place] != byte);
        token[place] = byte;
        let Ok(value) = HeaderValue::from_bytes(&token) else { return Ok(()) };
        let headers = HeaderMap::from_iter([("x-api-key".parse().unwrap(), value)]);
        let presented = Presented { headers: &headers, query: None, peer_certificate: None };
        let asked = futures_util::FutureExt::now_or_never(door.authenticate(presented, at(NOW)));
        prop_assert!(asked.is_some_and(|answer| answer.is_err()));
    }
}
