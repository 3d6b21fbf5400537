//! A streamed answer, as a caller would see it.

use crate::{Delta, Denial, Failure, Session, StreamVerdict};

/// What the caller reads of an answer whose pieces go through `session` batch by batch.
///
/// # Errors
/// `Ok(Err(denial))` when the session ends the answer with an error; `Err` when it fails.
pub fn streamed(session: &mut impl Session, batches: Vec<Vec<Delta>>) -> Result<Result<String, Denial>, Failure> {
    let (mut read, mut held) = (String::new(), Vec::new());
    for batch in batches {
        held.extend(batch.iter().cloned());
        let outcome = session.push(batch)?;
        if let Err(denial) = decide(outcome.verdict, &mut held, &mut read) {
            return Ok(Err(denial));
        }
    }
    let outcome = session.finish(None)?;
    if outcome.verdict == StreamVerdict::Hold {
        return Err(Failure::Internal("an answer that is over cannot be held".into()));
    }
    Ok(decide(outcome.verdict, &mut held, &mut read).map(|()| read))
}

fn decide(verdict: StreamVerdict, held: &mut Vec<Delta>, read: &mut String) -> Result<(), Denial> {
    let leaves = match verdict {
        StreamVerdict::Hold => return Ok(()),
        StreamVerdict::Stop(denial) => return Err(denial),
        StreamVerdict::Pass => std::mem::take(held),
        StreamVerdict::Replace(with) => {
            held.clear();
            with
        }
    };
    read.extend(leaves.iter().filter_map(Delta::text));
    Ok(())
}
