//! Making the door: key file, token issuer, certificates.

use std::fs;
use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::Parts;
use super::providers::{path, resolve};
use crate::auth::{
    Anonymous, AuthSpec, Authenticator, ClaimMap, ClaimPath, JwksSource, JwtSpec, KeyFile, MtlsSpec, Source,
};
use crate::policy::codes;
use crate::policy::config::{Callers, Config, Jwt, Mtls, Stated};
use crate::policy::decode::At;
use crate::policy::document::CertificateName;
use crate::policy::problem::Problem;
use crate::policy::reference::Template;

/// How far the clocks of issuer and gateway may differ.
const LEEWAY: Duration = Duration::from_secs(60);

/// Makes the authenticator of a configuration.
pub fn authenticator(config: &Config, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Option<Authenticator> {
    let callers = &config.callers;
    let before = problems.len();
    let spec = AuthSpec {
        user: callers.user.iter().filter_map(stated).collect(),
        session: callers.session.iter().filter_map(stated).collect(),
        ..match &parts.callers {
            Some(keys) => AuthSpec { keys: Some(keys.clone()), ..AuthSpec::default() },
            None => AuthSpec {
                keys: callers.keys.as_ref().and_then(|keys| key_file(keys, parts, problems)),
                jwt: callers.jwt.as_ref().and_then(|jwt| tokens(jwt, parts, problems)),
                mtls: callers.mtls.as_ref().map(certificates),
                anonymous: anonymous(callers, config),
                ..AuthSpec::default()
            },
        }
    };
    if problems.len() > before {
        return None;
    }
    match Authenticator::new(&spec, Arc::clone(&parts.fetch), parts.previous) {
        Ok(authenticator) => Some(authenticator),
        Err(reason) => {
            problems.push(Problem::error(codes::CANNOT_OPEN, reason));
            None
        }
    }
}

fn anonymous(callers: &Callers, config: &Config) -> Anonymous {
    match (callers.anonymous, config.listen.ip().is_loopback()) {
        (false, _) => Anonymous::No,
        (true, true) => Anonymous::Loopback,
        (true, false) => Anonymous::Everywhere,
    }
}

fn key_file(template: &At<Template>, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Option<KeyFile> {
    let path = path(template, parts, problems)?;
    let text = read(&path, template, problems)?;
    match KeyFile::parse(&text) {
        Ok(file) => Some(file),
        Err(mistakes) => {
            for mistake in mistakes {
                let line = mistake.line.map(|line| format!(":{line}")).unwrap_or_default();
                let message = format!("{}{line}: {}", path.display(), mistake.message);
                problems.push(Problem::error(codes::CANNOT_OPEN, message).at(template.span, "in this key file"));
            }
            None
        }
    }
}

fn tokens(jwt: &Jwt, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Option<JwtSpec> {
    let issuer = resolve(&jwt.issuer, parts, problems)?;
    let source = resolve(&jwt.jwks, parts, problems)?;
    let jwks = if source.expose().starts_with("https://") || source.expose().starts_with("http://") {
        JwksSource::Url(source.expose().to_owned())
    } else if source.expose().trim_start().starts_with('{') {
        JwksSource::Document(source.expose().to_owned())
    } else {
        let path = path(&jwt.jwks, parts, problems)?;
        JwksSource::Document(read(&path, &jwt.jwks, problems)?)
    };
    let claims = claims(jwt, problems);
    Some(JwtSpec { issuer: issuer.expose().to_owned(), audience: jwt.audience.clone(), jwks, leeway: LEEWAY, claims })
}

/// What is read of a token's claims.
pub fn claims(jwt: &Jwt, problems: &mut Vec<Problem>) -> ClaimMap {
    let mut claim = |name: &Option<String>| {
        let path = name.as_deref().map(ClaimPath::from_str)?;
        path.map_err(|reason| {
            problems.push(Problem::error(codes::WRONG_VALUE, reason).at(jwt.issuer.span, "of this issuer"))
        })
        .ok()
    };
    ClaimMap { team: claim(&jwt.team), user: claim(&jwt.user), tags: claim(&jwt.tags), models: None }
}

fn certificates(mtls: &Mtls) -> MtlsSpec {
    let claim = |name: Option<CertificateName>| {
        let path = match name? {
            CertificateName::CommonName => "subject.cn",
            CertificateName::Organization => "subject.o",
            CertificateName::OrganizationalUnit => "subject.ou",
            CertificateName::DnsName => "san.dns",
            CertificateName::Uri => "san.uri",
        };
        ClaimPath::from_str(path).ok()
    };
    MtlsSpec { claims: ClaimMap { team: claim(mtls.team), user: claim(mtls.user), tags: None, models: None } }
}

fn stated(stated: &Stated) -> Option<Source> {
    match stated {
        Stated::Header(name) => HeaderName::from_str(name).ok().map(Source::Header),
        Stated::Body(path) => Some(Source::Body(path.join("."))),
    }
}

fn read(path: &Path, template: &At<Template>, problems: &mut Vec<Problem>) -> Option<String> {
    match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) => {
            let message = format!("`{}` cannot be read: {error}", path.display());
            problems.push(Problem::error(codes::UNRESOLVED, message).at(template.span, ""));
            None
        }
    }
}
