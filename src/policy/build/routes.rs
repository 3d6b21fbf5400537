//! Routes: exactly one way each, to targets that exist.

use super::{Builder, empty};
use crate::policy::codes;
use crate::policy::config::{Abort, Canary, Deny, Route, RouteConfig, Shadow, TargetConfig, Timeouts, Way};
use crate::policy::decode::{At, Table, TextOr};
use crate::policy::document::{
    CanaryDoc, CaseDoc, DenyDoc, Losses, OnDisconnect, RouteDoc, RouteMap, ShadowDoc, TimeoutsDoc, WAYS,
};
use crate::policy::problem::{Problem, did_you_mean};
use crate::policy::source::Span;

impl Builder<'_, '_> {
    /// The route of a policy, with what holds for its attempts.
    pub(super) fn route_config(&mut self, document: &RouteDoc) -> Option<RouteConfig> {
        let route = self.route(document);
        let TextOr::Other(map) = &document.value else {
            let timeouts = Timeouts::default();
            return Some(RouteConfig {
                route: route?,
                retry_on: None,
                attempts_per_target: None,
                timeouts,
                losses: Losses::default(),
                on_disconnect: OnDisconnect::default(),
                mark_prefixes: None,
            });
        };
        Some(RouteConfig {
            route: route?,
            retry_on: map.retry_on.as_ref().map(|faults| faults.iter().map(|fault| fault.class()).collect()),
            attempts_per_target: map.attempts_per_target.as_ref().map(|attempts| attempts.value),
            timeouts: map.timeouts.as_ref().map(|timeouts| timeouts_of(timeouts)).unwrap_or_default(),
            losses: map.losses.as_ref().map(|losses| losses.value).unwrap_or_default(),
            on_disconnect: map.on_disconnect.as_ref().map(|word| word.value).unwrap_or_default(),
            mark_prefixes: map.mark_prefixes.as_ref().map(|least| least.value.0),
        })
    }

    fn route(&mut self, document: &RouteDoc) -> Option<Route> {
        match &document.value {
            TextOr::Text(name) => {
                let target = self.target(&At::new(document.span, name.clone()))?;
                Some(Route { way: target.map(Way::Target), shadow: None, sticky: None })
            }
            TextOr::Other(map) => self.route_map(map, document.span),
        }
    }

    fn inner(&mut self, document: &RouteDoc) -> Option<Route> {
        if let TextOr::Other(map) = &document.value {
            let misplaced = [
                ("retry_on", map.retry_on.as_ref().map(|field| field.span)),
                ("attempts_per_target", map.attempts_per_target.as_ref().map(|field| field.span)),
                ("timeouts", map.timeouts.as_ref().map(|field| field.span)),
                ("losses", map.losses.as_ref().map(|field| field.span)),
                ("on_disconnect", map.on_disconnect.as_ref().map(|field| field.span)),
                ("mark_prefixes", map.mark_prefixes.as_ref().map(|field| field.span)),
            ];
            for (field, span) in misplaced.into_iter().filter_map(|(field, span)| Some((field, span?))) {
                let problem = Problem::error(codes::CONTRADICTION, format!("`{field}` holds for a whole route"));
                self.note(problem.at(span, "").help("put it beside the outermost way of the policy's route"));
            }
        }
        self.route(document)
    }

    fn route_map(&mut self, map: &RouteMap, span: Span) -> Option<Route> {
        self.only_one_way(map, span)?;
        let shadow = map.shadow.as_ref().and_then(|shadow| self.shadow(shadow));
        let way = self.way(map)?;
        Some(Route { way, shadow, sticky: map.sticky.as_ref().map(|sticky| sticky.value) })
    }

    fn only_one_way(&mut self, map: &RouteMap, span: Span) -> Option<()> {
        let ways = ways_of(map);
        match ways.as_slice() {
            [_] => Some(()),
            [] => {
                let problem =
                    Problem::error(codes::MISSING_FIELD, "the route does not say where requests go").at(span, "");
                self.note_lack(problem.help(format!("name one of: {}", WAYS.join(", "))));
                None
            }
            [(first, first_span), rest @ ..] => {
                let problem = Problem::error(codes::CONTRADICTION, "a route goes exactly one way");
                let problem = rest.iter().fold(problem, |problem, (name, span)| problem.at(*span, format!("`{name}`")));
                self.note(problem.at(*first_span, format!("`{first}`")).help("routes nest: a way may lead to another"));
                None
            }
        }
    }

    fn way(&mut self, map: &RouteMap) -> Option<At<Way>> {
        let RouteMap { target, fallback, weighted, fastest, cheapest, least_busy, first, canary, deny, .. } = map;
        if let Some(target) = target {
            return self.target(target).map(|target| target.map(Way::Target));
        }
        if let Some(items) = fallback {
            return self.several("fallback", items).map(|at| at.map(Way::Fallback));
        }
        if let Some(table) = weighted {
            return self.weighted(table);
        }
        if let Some(items) = cheapest {
            return self.cheapest(items);
        }
        if let Some(items) = fastest {
            return self.several("fastest", items).map(|at| at.map(Way::Fastest));
        }
        if let Some(items) = least_busy {
            return self.several("least_busy", items).map(|at| at.map(Way::LeastBusy));
        }
        if let Some(cases) = first {
            return self.first(cases);
        }
        if let Some(canary) = canary {
            return self.canary(canary).map(|way| At::new(canary.span, Way::Canary(Box::new(way))));
        }
        deny.as_ref().map(|deny| At::new(deny.span, Way::Deny(self.deny(deny))))
    }

    fn filled(&mut self, what: &str, span: Span, is_empty: bool) -> Option<At<()>> {
        if is_empty {
            self.note_lack(empty(&format!("`{what}`"), span));
            return None;
        }
        Some(At::new(span, ()))
    }

    fn several(&mut self, what: &str, items: &At<Vec<RouteDoc>>) -> Option<At<Vec<Route>>> {
        let at = self.filled(what, items.span, items.is_empty())?;
        let routes = items.iter().filter_map(|item| self.inner(item)).collect();
        Some(at.map(|()| routes))
    }

    fn cheapest(&mut self, items: &At<Vec<RouteDoc>>) -> Option<At<Way>> {
        let routes = self.several("cheapest", items)?;
        let named = routes.iter().flat_map(|route| route.targets().into_iter().map(|target| (target, route.way.span)));
        for (target, span) in named.filter(|_| self.material.is_whole) {
            if self.targets.get(target).is_some_and(|target| !self.has_price(target)) {
                let problem = Problem::error(codes::NO_PRICE, format!("`{target}` has no price to compare"));
                let help = "give the target or its provider a `price: { in: …, out: … }` in US dollars for a million tokens, or the model a row in a price file";
                self.problems.push(problem.at(span, "").help(help));
            }
        }
        Some(routes.map(Way::Cheapest))
    }

    /// Whether there is a price for whatever model is asked for, or that is not known before there is a request.
    fn has_price(&self, target: &TargetConfig) -> bool {
        let kind = self.providers.get(&target.provider).map(|provider| provider.kind.as_str());
        let listed = |model: &String| {
            let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
            kind.is_some_and(|kind| self.prices.list.find(kind, model, today).is_some())
        };
        target.price.is_some() || target.model.as_ref().is_some_and(listed)
    }

    fn weighted(&mut self, table: &At<Table<At<u32>>>) -> Option<At<Way>> {
        let at = self.filled("weighted", table.span, table.0.is_empty())?;
        if table.0.iter().all(|(_, weight)| weight.value == 0) {
            let problem = Problem::error(codes::OUT_OF_RANGE, "all weights are zero, so no target would be chosen");
            self.note_lack(problem.at(table.span, ""));
        }
        let targets = table.0.iter().filter_map(|(name, weight)| Some((self.target(name)?, weight.value))).collect();
        Some(at.map(|()| Way::Weighted(targets)))
    }

    fn first(&mut self, documents: &At<Vec<At<CaseDoc>>>) -> Option<At<Way>> {
        let at = self.filled("first", documents.span, documents.is_empty())?;
        let (mut cases, mut otherwise) = (Vec::new(), None);
        let last = documents.len() - 1;
        for (index, case) in documents.iter().enumerate() {
            let route = self.inner(&case.to);
            match &case.when {
                Some(when) => {
                    let condition = self.condition(when);
                    if index == last {
                        let problem = Problem::error(
                            codes::NO_DEFAULT,
                            "the last case has a condition, so a request may fit none",
                        );
                        self.note_lack(
                            problem.at(when.span, "").help("end with a case that only says `to`; it may `deny`"),
                        );
                    }
                    cases.extend(condition.zip(route));
                }
                None if index == last => otherwise = route,
                None => {
                    let problem = Problem::error(codes::NO_DEFAULT, "the cases after this one are never reached");
                    self.note_lack(problem.at(case.span, "it has no condition"));
                }
            }
        }
        let otherwise = Box::new(otherwise?);
        Some(at.map(|()| Way::First { cases, otherwise }))
    }

    fn canary(&mut self, document: &CanaryDoc) -> Option<Canary> {
        let (stable, candidate) = (self.inner(&document.stable), self.inner(&document.candidate));
        let abort_if = document.abort_if.as_ref().map(|abort| Abort {
            error_rate: abort.error_rate.fraction(),
            min_requests: abort.min_requests.map_or(ABORT_AFTER, |requests| requests.get()),
        });
        let share = document.percent.fraction();
        Some(Canary { stable: stable?, candidate: candidate?, share, sticky: document.sticky, abort_if })
    }

    fn deny(&mut self, document: &DenyDoc) -> Deny {
        if let Some(status) = document.status.as_ref().filter(|status| !(400..=599).contains(&status.value)) {
            let problem =
                Problem::error(codes::OUT_OF_RANGE, format!("`{}` is not the status of a refusal", status.value));
            self.note(problem.at(status.span, "from 400 to 599"));
        }
        Deny {
            status: document.status.as_ref().map_or(403, |status| status.value),
            code: document.code.clone().unwrap_or_else(|| "denied".to_owned()),
            message: document.message.clone().unwrap_or_else(|| "the policy does not allow this request".to_owned()),
        }
    }

    fn shadow(&mut self, document: &ShadowDoc) -> Option<Shadow> {
        let to = self.target(&document.to)?;
        if let Some(name) = &document.budget {
            let known = self.names("budgets");
            if !known.contains(&name.value.as_str()) {
                let label = did_you_mean(&name.value, known.iter().copied());
                let help = match known.is_empty() {
                    true => "the file has no `budgets`".to_owned(),
                    false => format!("known are: {}", known.join(", ")),
                };
                let problem = Problem::error(codes::UNDEFINED, format!("there is no budget `{}`", name.value));
                self.note(problem.at(name.span, label).help(help));
                return None;
            }
        }
        Some(Shadow { to, share: document.percent.fraction(), budget: document.budget.clone() })
    }
}

/// The ways a route map names, and where.
fn ways_of(map: &RouteMap) -> Vec<(&'static str, Span)> {
    let named = [
        ("target", map.target.as_ref().map(|way| way.span)),
        ("fallback", map.fallback.as_ref().map(|way| way.span)),
        ("weighted", map.weighted.as_ref().map(|way| way.span)),
        ("fastest", map.fastest.as_ref().map(|way| way.span)),
        ("cheapest", map.cheapest.as_ref().map(|way| way.span)),
        ("least_busy", map.least_busy.as_ref().map(|way| way.span)),
        ("first", map.first.as_ref().map(|way| way.span)),
        ("canary", map.canary.as_ref().map(|way| way.span)),
        ("deny", map.deny.as_ref().map(|way| way.span)),
    ];
    named.into_iter().filter_map(|(name, span)| Some((name, span?))).collect()
}

fn timeouts_of(document: &TimeoutsDoc) -> Timeouts {
    Timeouts {
        connect: document.connect.map(|period| period.0),
        headers: document.headers.map(|period| period.0),
        first_token: document.first_token.map(|period| period.0),
        between_tokens: document.between_tokens.map(|period| period.0),
        whole: document.whole.map(|period| period.0),
        total: document.total.map(|period| period.0),
    }
}

/// Fewer requests than this say nothing about a rate.
const ABORT_AFTER: u32 = 20;
