//! The caller of a client certificate.
//!
//! The TLS layer has verified the certificate against `client_ca` before; here its names are read, nothing
//! else. They are laid out like the claims of a token, so the same paths lead to them:
//!
//! ```text
//! subject.cn  subject.ou  subject.o  subject.c  subject.l  subject.st  subject.email
//! san.dns     san.uri     san.email
//! ```
//!
//! Each is a list, in the order of the certificate: `subject.cn` is its first common name, `subject.ou.1` its
//! second unit, `san.uri` its first URI (a SPIFFE id, say).

use serde_json::{Map, Value};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use super::caller::Caller;
use super::claims::ClaimMap;
use super::rejected::Rejected;

/// Which names of a certificate make which part of a caller.
#[derive(Debug, Clone, Default)]
pub struct MtlsSpec {
    pub claims: ClaimMap,
}

impl MtlsSpec {
    /// # Errors
    /// If a path leads to nothing a certificate can have.
    pub(super) fn check(&self) -> Result<(), String> {
        let known = |path: &str| NAMES.iter().any(|name| path.strip_prefix(name).is_some_and(is_index));
        match self.claims.paths().find(|path| !known(path.as_str())) {
            Some(path) => Err(format!("a certificate has no `{}`; it has: {}", path.as_str(), NAMES.join(", "))),
            None => Ok(()),
        }
    }

    pub(super) fn caller(&self, der: &[u8]) -> Result<Caller, Rejected> {
        let claims = claims(der).ok_or(Rejected::because("the client certificate cannot be read"))?;
        Ok(self.claims.caller(claims))
    }
}

fn is_index(rest: &str) -> bool {
    rest.is_empty() || rest.strip_prefix('.').is_some_and(|index| index.parse::<usize>().is_ok())
}

const NAMES: [&str; 10] = [
    "subject.cn",
    "subject.ou",
    "subject.o",
    "subject.c",
    "subject.l",
    "subject.st",
    "subject.email",
    "san.dns",
    "san.uri",
    "san.email",
];

fn claims(der: &[u8]) -> Option<Map<String, Value>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let mut claims = Map::new();
    claims.insert("subject".into(), Value::Object(subject(certificate.subject())));
    claims.insert("san".into(), Value::Object(alternative_names(&certificate)));
    Some(claims)
}

fn subject(name: &X509Name<'_>) -> Map<String, Value> {
    let mut names = Names::default();
    names.extend("cn", texts(name.iter_common_name()));
    names.extend("ou", texts(name.iter_organizational_unit()));
    names.extend("o", texts(name.iter_organization()));
    names.extend("c", texts(name.iter_country()));
    names.extend("l", texts(name.iter_locality()));
    names.extend("st", texts(name.iter_state_or_province()));
    names.extend("email", texts(name.iter_email()));
    names.0
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Map<String, Value> {
    let mut names = Names::default();
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return names.0 };
    for name in &extension.value.general_names {
        match name {
            GeneralName::DNSName(name) => names.extend("dns", [*name]),
            GeneralName::URI(uri) => names.extend("uri", [*uri]),
            GeneralName::RFC822Name(address) => names.extend("email", [*address]),
            _ => {}
        }
    }
    names.0
}

fn texts<'a>(attributes: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>) -> impl Iterator<Item = &'a str> {
    attributes.filter_map(|attribute| attribute.as_str().ok())
}

#[derive(Default)]
struct Names(Map<String, Value>);

impl Names {
    fn extend<'a>(&mut self, kind: &str, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            let list = self.0.entry(kind).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(name.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::auth::testing::client_certificate;

    fn spec(team: &str, user: &str) -> MtlsSpec {
        let claims =
            ClaimMap { team: Some(team.parse().unwrap()), user: Some(user.parse().unwrap()), ..ClaimMap::default() };
        MtlsSpec { claims }
    }

    #[test]
    fn the_subject_of_a_certificate_makes_a_caller() {
        let caller = spec("subject.ou", "subject.cn").caller(&client_certificate()).unwrap();
        assert_eq!((caller.team.as_deref(), caller.user.as_deref()), (Some("support"), Some("billing-service")));
    }

    #[test]
    fn alternative_names_are_found_by_kind_and_place() {
        let certificate = client_certificate();
        let caller = spec("san.dns.1", "san.uri").caller(&certificate).unwrap();
        assert_eq!(
            (caller.team.as_deref(), caller.user.as_deref()),
            (Some("b.example"), Some("spiffe://example/billing"))
        );
        let caller = spec("san.email", "san.dns").caller(&certificate).unwrap();
        assert_eq!((caller.team.as_deref(), caller.user.as_deref()), (Some("billing@example.com"), Some("a.example")));
    }

    #[test]
    fn a_path_no_certificate_has_is_an_error_when_it_is_configured() {
        assert!(spec("subject.team", "subject.cn").check().unwrap_err().contains("`subject.team`"));
        assert!(spec("sub", "subject.cn").check().is_err());
        assert!(spec("subject.cnx", "subject.cn").check().is_err());
        assert!(spec("subject.ou.1", "san.uri").check().is_ok());
    }

    proptest! {
        #[test]
        fn no_certificate_however_broken_panics(at in 0..400usize, byte in any::<u8>(), cut in 0..400usize) {
            let mut der = client_certificate();
            let place = at % der.len();
            der[place] = byte;
            let _ = spec("subject.ou", "san.uri").caller(&der);
            let _ = spec("subject.ou", "san.uri").caller(&der[..cut.min(der.len())]);
        }
    }
}
