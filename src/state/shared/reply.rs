//! What the store has said to a claim.

use redis::{Value, from_redis_value};

use crate::base::money::Nanos;
use crate::state::account::nanos;
use crate::state::claim::{Balance, Claim, Denied, Leg, Unavailable};

/// Reads the answer of the script `reserve`.
pub(super) fn to_claim(claim: &Claim, answer: Value) -> Result<Vec<Balance>, Denied> {
    let odd = || Denied::Unavailable(Unavailable("the shared store gave an answer that makes no sense".into()));
    let words: Vec<String> = from_redis_value(answer).map_err(|_| odd())?;
    let (word, rest) = words.split_first().ok_or_else(odd)?;
    let faulty = |why: &str| Denied::Faulty { hold: claim.hold, why: why.to_owned() };
    match (word.as_str(), rest) {
        ("ok", sums) if sums.len() == 2 * claim.legs.len() => {
            let (pairs, _) = sums.as_chunks::<2>();
            let balance = |(leg, [spent, held]): (&Leg, &[String; 2])| Balance {
                account: leg.account.clone(),
                spent: amount(spent),
                held: amount(held),
                cap: leg.cap,
            };
            Ok(claim.legs.iter().zip(pairs).map(balance).collect())
        }
        ("denied", [place, spent, held]) => {
            let place = place.parse::<usize>().ok().and_then(|place| place.checked_sub(1));
            let leg = place.and_then(|place| claim.legs.get(place)).ok_or_else(odd)?;
            let balance =
                Balance { account: leg.account.clone(), spent: amount(spent), held: amount(held), cap: leg.cap };
            Err(Denied::Overdrawn(balance))
        }
        ("other", _) => Err(faulty("its hold has other legs already")),
        ("over", _) => Err(faulty("its hold is over already")),
        _ => Err(odd()),
    }
}

/// Digits of nano-USD; more than an amount can hold is shown as the greatest there is.
pub(super) fn amount(digits: &str) -> Nanos {
    digits.parse::<i128>().map_or(Nanos(i64::MAX), nanos)
}
