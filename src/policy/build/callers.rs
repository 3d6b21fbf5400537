//! Who may call: whether anybody can, and whether everybody can.

use super::Builder;
use crate::base::units::Address;
use crate::policy::codes;
use crate::policy::config::{Callers, DEFAULT_LISTEN, Jwt, Mtls, Stated, Tls};
use crate::policy::decode::{At, OneOrMany};
use crate::policy::document::{Anonymous, CallersDoc, JwtDoc};
use crate::policy::problem::Problem;

impl Builder<'_, '_> {
    /// Where to listen, held against who may call.
    pub(super) fn listen(&mut self, listen: Option<At<Address>>, callers: Option<&CallersDoc>) -> std::net::SocketAddr {
        let address = listen.as_ref().map_or(DEFAULT_LISTEN, |listen| listen.0);
        let said = callers.and_then(|callers| callers.anonymous.as_ref());
        let is_open = said.map_or(callers.is_none(), |said| said.value == Anonymous::True);
        if !is_open || (!self.material.is_whole && callers.is_none()) {
            return address;
        }
        let is_local = address.ip().is_loopback();
        let message = match is_local {
            true => "whoever reaches the port may call".to_owned(),
            false => format!("whoever reaches `{address}` may call, and that is not only this machine"),
        };
        let problem = if is_local {
            Problem::warning(codes::OPEN_TO_ALL, message)
        } else {
            Problem::error(codes::OPEN_TO_ALL, message)
        };
        let problem = said.iter().fold(problem, |problem, said| problem.at(said.span, ""));
        let problem = listen.iter().fold(problem, |problem, listen| problem.at(listen.span, ""));
        let start = self.material.tree.point(self.material.sources);
        let problem = if problem.labels.is_empty() { problem.at(start, "") } else { problem };
        self.note(problem.help("say in `callers` how callers show who they are, or `anonymous: everywhere`"));
        address
    }

    pub(super) fn callers(&mut self, callers: Option<CallersDoc>, tls: Option<&Tls>) -> Callers {
        let Some(callers) = callers else { return Callers { anonymous: true, ..Callers::default() } };
        let said = callers.anonymous.as_ref();
        let anonymous = said.is_some_and(|said| said.value != Anonymous::False);
        let is_provable = callers.keys.is_some() || callers.jwt.is_some() || callers.mtls.is_some();
        if !anonymous && !is_provable {
            let section = self.material.tree.entries().iter().find(|entry| entry.key.text == "callers");
            let problem = Problem::error(codes::CONTRADICTION, "nobody can call: there is no way to show who one is");
            let problem = section.into_iter().fold(problem, |problem, entry| problem.at(entry.key.span, ""));
            self.note_lack(problem.help("name `keys`, `jwt` or `mtls`, or say `anonymous: true`"));
        }
        if let Some(mtls) = &callers.mtls
            && tls.is_none_or(|tls| tls.client_ca.is_none())
        {
            let problem = Problem::error(codes::CONTRADICTION, "`mtls` needs `tls` with a `client_ca`");
            self.note_lack(problem.at(mtls.span, "no certificate is asked for"));
        }
        Callers {
            keys: callers.keys.map(|keys| self.placed(keys)),
            jwt: callers.jwt.map(|jwt| self.jwt(jwt)),
            mtls: callers.mtls.map(|mtls| Mtls { team: mtls.team, user: mtls.user }),
            anonymous,
            user: self.stated(callers.user),
            session: self.stated(callers.session),
        }
    }

    fn jwt(&mut self, jwt: JwtDoc) -> Jwt {
        Jwt {
            issuer: self.placed(jwt.issuer),
            jwks: self.placed(jwt.jwks),
            audience: jwt.audience.unwrap_or_default().0,
            team: jwt.team,
            user: jwt.user,
            tags: jwt.tags,
        }
    }

    fn stated(&mut self, list: Option<OneOrMany<At<String>>>) -> Vec<Stated> {
        let mut all = Vec::new();
        for text in list.unwrap_or_default().0 {
            match text.trim().split_once(' ').map(|(kind, name)| (kind, name.trim())) {
                Some(("header", name)) if !name.is_empty() => all.push(Stated::Header(name.to_ascii_lowercase())),
                Some(("body", path)) if !path.is_empty() && path.split('.').all(|part| !part.is_empty()) => {
                    all.push(Stated::Body(path.split('.').map(str::to_owned).collect()));
                }
                _ => {
                    let message = format!("`{}` is not a place to look", text.value);
                    let problem = Problem::error(codes::WRONG_VALUE, message).at(text.span, "");
                    self.note(problem.help("write `header x-user-id` or `body metadata.user_id`"));
                }
            }
        }
        all
    }
}
