//! Policies, one by one and held against each other.

use super::Builder;
use crate::base::ids::PolicyName;
use crate::policy::codes;
use crate::policy::condition::Condition;
use crate::policy::config::PolicyConfig;
use crate::policy::decode::At;
use crate::policy::document::PolicyDoc;
use crate::policy::problem::Problem;
use crate::policy::selector::Selector;
use crate::steps::StepConfig;

impl Builder<'_, '_> {
    pub(super) fn policies(&mut self, documents: Vec<PolicyDoc>) -> Vec<PolicyConfig> {
        if documents.is_empty() {
            let problem = Problem::error(codes::NO_ROUTE, "there is no policy, so every request would be refused");
            let point = self.material.tree.point(self.material.sources);
            self.note_lack(
                problem.at(point, "").help("the simplest is `policies: [{ policy: default, route: openai }]`"),
            );
        }
        let mut policies: Vec<PolicyConfig> = Vec::new();
        for document in documents {
            let is_conditional = document.when.is_some();
            let policy = self.policy(document);
            self.compare(&policies, &policy);
            policies.push(policy);
            if let Some(last) = policies.last_mut().filter(|last| is_conditional && last.condition.is_none()) {
                // Its condition could not be read; it must not seem to match everything.
                last.selector = Selector::nothing();
            }
        }
        policies
    }

    fn policy(&mut self, document: PolicyDoc) -> PolicyConfig {
        let selector =
            document.selector.as_ref().map(|document| Selector::read(document, self.problems)).unwrap_or_default();
        self.dialects(&document);
        let condition = document.when.as_ref().and_then(|when| self.condition(when));
        let route = document.route.as_ref().and_then(|route| self.route_config(route));
        if document.route.is_none() {
            self.without_route(&document.policy, &selector);
        }
        PolicyConfig {
            name: document.policy.map(PolicyName::new),
            selector,
            condition,
            mode: document.mode,
            steps: document.steps.into_iter().map(|step| self.step(step)).collect(),
            // Of what all policies have in common as well, so once that is there.
            imprint: String::new(),
            common_imprint: String::new(),
            route,
        }
    }

    /// A step, with what it refers to in the files looked up. Relative paths in it start from the folder of its file.
    fn step(&mut self, mut step: At<StepConfig>) -> At<StepConfig> {
        let embedders = self.names("embedders").into_iter().map(str::to_owned).collect::<Vec<_>>();
        for target in step.value.asks().into_iter().filter(|asked| !embedders.iter().any(|known| known == asked)) {
            self.target(&At::new(step.span, target.to_owned()));
        }
        step.value.place(self.material.sources.folder(step.span.file));
        step
    }

    pub(super) fn condition(&mut self, text: &At<String>) -> Option<At<Condition>> {
        let condition = Condition::read(text, self.material.sources, self.problems)?;
        Some(At::new(text.span, condition))
    }

    fn dialects(&mut self, document: &PolicyDoc) {
        let Some(dialects) = document.selector.as_ref().and_then(|selector| selector.dialects.as_ref()) else { return };
        let known = super::super::selector::DIALECTS.map(|dialect| dialect.0);
        for dialect in &dialects.0 {
            if !known.contains(&dialect.as_str()) {
                let problem = Problem::error(codes::UNKNOWN_CHOICE, format!("unknown dialect `{}`", dialect.value));
                let label = crate::policy::problem::did_you_mean(dialect, known);
                self.note(problem.at(dialect.span, label).help(format!("known are: {}", known.join(", "))));
            }
        }
    }

    /// A policy needs no route if each model it is for says where it goes.
    /// Policies that keep answers in one place, and do not agree on how much room there is.
    pub(super) fn unlike_rooms(&mut self, policies: &[PolicyConfig]) {
        let steps = policies.iter().flat_map(|policy| &policy.steps);
        let mut rooms = steps.filter_map(|step| Some((step.span, step.value.room_for_everyone()?)));
        let Some((first, room)) = rooms.next() else { return };
        for (other, _) in rooms.filter(|(_, other)| *other != room) {
            let message = "answers that everyone shares are kept in one place, and these policies differ on it";
            let problem = Problem::error(codes::CONTRADICTION, message).at(other, "").at(first, "the first is here");
            self.note(
                problem.help("give all of them the same `size` and `entries`, and the same time by `keep` and `stale`"),
            );
        }
    }

    fn without_route(&mut self, name: &At<String>, selector: &Selector) {
        let problem =
            Problem::error(codes::NO_ROUTE, format!("the policy `{}` does not say where requests go", name.value));
        let help = "give it a `route`, or name in `for.models` only models that the gateway file defines";
        let undefined = match selector.exact_models() {
            None => Some(problem.at(name.span, "")),
            Some(mut models) => models
                .find(|model| !self.names("models").contains(model))
                .map(|model| problem.at(name.span, format!("`{model}` has no targets of its own"))),
        };
        if let Some(problem) = undefined {
            self.note_lack(problem.help(help));
        }
    }

    fn compare(&mut self, earlier: &[PolicyConfig], policy: &PolicyConfig) {
        if let Some(same) = earlier.iter().find(|earlier| *earlier.name == *policy.name) {
            let problem = Problem::error(codes::DUPLICATE_NAME, format!("there are two policies `{}`", *policy.name));
            self.note(problem.at(policy.name.span, "here again").at(same.name.span, "first here"));
            return;
        }
        let covers = |earlier: &&PolicyConfig| earlier.condition.is_none() && earlier.selector.covers(&policy.selector);
        if let Some(wide) = earlier.iter().find(covers) {
            let problem =
                Problem::error(codes::NEVER_MATCHES, format!("the policy `{}` can never match", *policy.name));
            let problem =
                problem.at(policy.name.span, "").at(wide.name.span, "this one is tried before, and takes all");
            self.note_lack(problem.help("put the wider policy last, or narrow it with `for` or `when`"));
        }
    }
}
