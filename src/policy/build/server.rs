//! The sections about the process itself: addresses, limits, logs.

use std::net::SocketAddr;

use super::Builder;
use crate::base::units::Address;
use crate::policy::codes;
use crate::policy::config::{DEFAULT_ADMIN, Limits, Log, Tls};
use crate::policy::decode::At;
use crate::policy::document::{GatewayDoc, LimitsDoc, LogDoc, TlsDoc};
use crate::policy::problem::Problem;

impl Builder<'_, '_> {
    pub(super) fn version(&mut self, document: &GatewayDoc) {
        match &document.version {
            Some(version) if version.value == 1 => {}
            Some(version) => {
                let message = format!("version {} of the language is not known", version.value);
                self.note(Problem::error(codes::OUT_OF_RANGE, message).at(version.span, "this is version 1"));
            }
            None => {
                let problem = Problem::error(codes::MISSING_FIELD, "the field `version` is missing");
                let point = self.material.tree.point(self.material.sources);
                self.note_lack(problem.at(point, "").help("begin the file with `version: 1`"));
            }
        }
    }

    pub(super) fn admin(&mut self, admin: Option<At<Address>>, listen: SocketAddr) -> SocketAddr {
        let address = admin.as_ref().map_or(DEFAULT_ADMIN, |admin| admin.0);
        if address == listen && address.port() != 0 {
            let problem =
                Problem::error(codes::CONTRADICTION, format!("`{address}` is wanted for callers and for `admin`"));
            self.note(admin.into_iter().fold(problem, |problem, admin| problem.at(admin.span, "")));
        }
        address
    }

    pub(super) fn tls(&mut self, tls: TlsDoc) -> Tls {
        Tls {
            cert: self.placed(tls.cert),
            key: self.placed(tls.key),
            client_ca: tls.client_ca.map(|ca| self.placed(ca)),
        }
    }
}

pub(super) fn limits(document: Option<LimitsDoc>) -> Limits {
    let document = document.unwrap_or_default();
    let usual = Limits::default();
    Limits {
        body: document.body.map_or(usual.body, |size| size.0),
        header: document.header.map_or(usual.header, |size| size.0),
        idle: document.idle.map_or(usual.idle, |period| period.0),
        header_timeout: document.header_timeout.map_or(usual.header_timeout, |period| period.0),
        drain: document.drain.map_or(usual.drain, |period| period.0),
        connections: document.connections.map(|connections| connections.get()),
    }
}

pub(super) fn log(document: Option<LogDoc>) -> Log {
    let document = document.unwrap_or_default();
    Log { format: document.format.unwrap_or_default(), level: document.level.unwrap_or_default() }
}
