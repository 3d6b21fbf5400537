//! How a fact is written: as JSON, by hand.
//!
//! Every request within a budget leaves two facts, and a serializer takes four times as long for them as this.
//! They are read back [by serde](Record), which the tests hold this against.

use super::claim::HoldId;
use super::line::{CostLine, Counts, Priced};
use super::record::{Booking, Entry};
use crate::base::json::{Writer, member};

/// Writes the fact with the number `n` as one JSON object.
pub(super) fn record(out: &mut Writer, n: u64, entry: &Entry) {
    out.object(|out| {
        out.member(member!("n")).u64(n);
        out.member(member!("entry")).object(|out| match entry {
            Entry::Reserved { hold, at, lapses, legs } => out.member(member!("reserved")).object(|out| {
                out.member(member!("hold"));
                id(out, *hold);
                out.member(member!("at")).time(*at);
                out.member(member!("lapses")).time(*lapses);
                out.member(member!("legs")).array(|out| legs.iter().for_each(|leg| booking(out, leg)));
            }),
            Entry::Settled { hold, at, booked, lines } => out.member(member!("settled")).object(|out| {
                out.member(member!("hold"));
                id(out, *hold);
                out.member(member!("at")).time(*at);
                if !booked.is_empty() {
                    out.member(member!("booked")).array(|out| booked.iter().for_each(|leg| booking(out, leg)));
                }
                if !lines.is_empty() {
                    out.member(member!("lines")).array(|out| lines.iter().for_each(|one| line(out, one)));
                }
            }),
            Entry::Lapsed { hold, at, booked } => out.member(member!("lapsed")).object(|out| {
                out.member(member!("hold"));
                id(out, *hold);
                out.member(member!("at")).time(*at);
                out.member(member!("booked")).array(|out| booked.iter().for_each(|leg| booking(out, leg)));
            }),
        });
    });
}

fn id(out: &mut Writer, hold: HoldId) {
    out.plain(&[hold.request.as_str(), "/", itoa::Buffer::new().format(hold.attempt)]);
}

fn booking(out: &mut Writer, Booking { account, slot, amount }: &Booking) {
    out.object(|out| {
        out.member(member!("account")).str(account.as_str());
        out.member(member!("slot")).u64(slot.0.into());
        out.member(member!("amount")).i64(amount.0);
    });
}

fn line(out: &mut Writer, line: &CostLine) {
    let CostLine { request, attempt, at, key, team, user, policy, model, target, provider, priced, usage, cost, marks } =
        line;
    out.object(|out| {
        out.member(member!("request")).request_id(request);
        out.member(member!("attempt")).u64((*attempt).into());
        out.member(member!("at")).time(*at);
        let mut name = |member, name: Option<&str>| {
            if let Some(name) = name {
                out.member(member).str(name);
            }
        };
        name(member!("key"), key.as_ref().map(|key| key.as_str()));
        name(member!("team"), team.as_deref());
        name(member!("user"), user.as_deref());
        name(member!("policy"), policy.as_ref().map(|policy| policy.as_str()));
        name(member!("model"), Some(model));
        name(member!("target"), target.as_ref().map(|target| target.as_str()));
        name(member!("provider"), provider.as_ref().map(|provider| provider.as_str()));
        if let Some(Priced { model, since }) = priced {
            out.member(member!("priced")).object(|out| {
                out.member(member!("model")).str(model);
                out.member(member!("since")).date(*since);
            });
        }
        if *usage != Counts::default() {
            out.member(member!("usage")).object(|out| counts(out, usage));
        }
        out.member(member!("cost")).i64(cost.0);
        if !marks.is_empty() {
            out.member(member!("marks")).array(|out| marks.iter().for_each(|mark| out.word(mark.name())));
        }
    });
}

fn counts(out: &mut Writer, counts: &Counts) {
    let Counts {
        text_in,
        cache_read,
        cache_write_5m,
        cache_write_1h,
        audio_in,
        image_in,
        out: output,
        reasoning_out,
        audio_out,
    } = counts;
    let mut count = |member, count: &Option<u64>| {
        if let Some(count) = count {
            out.member(member).u64(*count);
        }
    };
    count(member!("text_in"), text_in);
    count(member!("cache_read"), cache_read);
    count(member!("cache_write_5m"), cache_write_5m);
    count(member!("cache_write_1h"), cache_write_1h);
    count(member!("audio_in"), audio_in);
    count(member!("image_in"), image_in);
    count(member!("out"), output);
    count(member!("reasoning_out"), reasoning_out);
    count(member!("audio_out"), audio_out);
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::base::ids::{AccountId, KeyName, PolicyName, ProviderName, RequestId, TargetName};
    use crate::base::money::Nanos;
    use crate::state::line::Mark;
    use crate::state::record::Record;
    use crate::state::slot::Slot;

    fn bookings() -> impl Strategy<Value = Vec<Booking>> {
        let one = (any::<String>(), any::<u32>(), any::<i64>());
        let one = one.prop_map(|(account, slot, amount)| Booking {
            account: AccountId::new(account),
            slot: Slot(slot),
            amount: Nanos(amount),
        });
        prop::collection::vec(one, 0..3)
    }

    fn names() -> impl Strategy<Value = [Option<String>; 6]> {
        prop::array::uniform6(prop::option::of(any::<String>()))
    }

    fn tokens() -> impl Strategy<Value = Counts> {
        prop::array::uniform9(prop::option::of(any::<u64>())).prop_map(
            |[
                text_in,
                cache_read,
                cache_write_5m,
                cache_write_1h,
                audio_in,
                image_in,
                out,
                reasoning_out,
                audio_out,
            ]| {
                Counts {
                    text_in,
                    cache_read,
                    cache_write_5m,
                    cache_write_1h,
                    audio_in,
                    image_in,
                    out,
                    reasoning_out,
                    audio_out,
                }
            },
        )
    }

    fn marks() -> impl Strategy<Value = Vec<Mark>> {
        let all = [Mark::Estimated, Mark::Unpriced, Mark::Assumed, Mark::Failed, Mark::Cut, Mark::HangUp, Mark::Shadow];
        prop::sample::subsequence(all.to_vec(), 0..=all.len())
    }

    fn moment() -> impl Strategy<Value = Timestamp> {
        (0..4_102_444_800_i64, 0..1_000_000_000_i32)
            .prop_map(|(seconds, nanos)| Timestamp::new(seconds, nanos).unwrap())
    }

    fn lines() -> impl Strategy<Value = Vec<CostLine>> {
        let one = (any::<u16>(), moment(), names(), any::<String>(), any::<bool>(), tokens(), any::<i64>(), marks());
        let one = one.prop_map(|(attempt, at, names, model, is_priced, usage, cost, marks)| {
            let [key, team, user, policy, target, provider] = names;
            CostLine {
                request: RequestId::fresh(1),
                attempt,
                at,
                key: key.map(KeyName::new),
                team: team.map(Into::into),
                user: user.map(Into::into),
                policy: policy.map(PolicyName::new),
                model: model.as_str().into(),
                target: target.map(TargetName::new),
                provider: provider.map(ProviderName::new),
                priced: is_priced.then(|| Priced { model: model.into(), since: date(2026, 2, 3) }),
                usage,
                cost: Nanos(cost),
                marks,
            }
        });
        prop::collection::vec(one, 0..3)
    }

    fn entries() -> impl Strategy<Value = Entry> {
        (0..3, any::<u16>(), moment(), moment(), bookings(), lines()).prop_map(
            |(kind, attempt, at, lapses, bookings, lines)| {
                let hold = HoldId { request: RequestId::fresh(1), attempt };
                match kind {
                    0 => Entry::Reserved { hold, at, lapses, legs: bookings.into() },
                    1 => Entry::Settled { hold, at, booked: bookings, lines },
                    _ => Entry::Lapsed { hold, at, booked: bookings.into() },
                }
            },
        )
    }

    proptest! {
        #[test]
        fn a_fact_is_read_as_it_was_written(n: u64, entry in entries()) {
            let mut out = Writer::new();
            record(&mut out, n, &entry);
            let written = out.into_bytes();
            let read: Record = serde_json::from_slice(&written).unwrap();
            prop_assert_eq!(&read, &Record { n, entry });
            let (ours, serde): (serde_json::Value, _) =
                (serde_json::from_slice(&written).unwrap(), serde_json::to_value(&read).unwrap());
            prop_assert_eq!(ours, serde, "no member is left out or added");
        }
    }
}
