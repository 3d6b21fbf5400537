//! Making budgets.

use std::sync::Arc;

use super::{Budgets, Targets};
use crate::base::ids::TargetName;
use crate::policy::codes;
use crate::policy::condition::subject;
use crate::policy::config::Config;
use crate::policy::problem::Problem;
use crate::steps::budget::Budget;

/// Makes the budgets of a configuration, by name.
pub fn make(config: &Config, targets: &Targets, problems: &mut Vec<Problem>) -> Budgets {
    let mut budgets = Budgets::new();
    let find = |name: &str| targets.get(&TargetName::new(name)).cloned();
    for (name, definition) in &config.budgets {
        match Budget::new(name, definition, subject, config.prices.unknown, find) {
            Ok(budget) => drop(budgets.insert(name.clone(), Arc::new(budget))),
            Err(reason) => {
                problems.push(Problem::error(codes::WRONG_VALUE, reason).at(definition.span, "in this budget"));
            }
        }
    }
    budgets
}
