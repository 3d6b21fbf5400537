//! An answer as it is kept: whole, in the words of the dialect it came in.

use bytes::Bytes;
use bytestring::ByteString;
use jiff::Timestamp;

use crate::base::ids::{DialectId, ModelName, ProviderName, TargetName};
use crate::base::json::Malformed;
use crate::base::money::Nanos;
use crate::base::text::Place as Span;
use crate::chat::Completion;
use crate::dialect;
use crate::state::answers::{Place, Question};

/// An answer that may be given again.
#[derive(Clone)]
pub struct Kept {
    pub origin: Origin,
    /// The whole answer's body.
    wire: Bytes,
    /// Where its id stands there.
    id: Option<Span>,
    /// Its usage and how it ended, but not what it says.
    outline: Completion,
}

/// Answers must not reach a log by way of a `{:?}`: only the length is shown.
impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({:?}, {} bytes)", self.origin, self.wire.len())
    }
}

/// Where an answer comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub at: Timestamp,
    pub dialect: DialectId,
    /// The target that made it.
    pub target: Option<TargetName>,
    pub provider: Option<ProviderName>,
    pub model: ModelName,
    /// What it cost, if that is known.
    pub cost: Option<Nanos>,
    /// The question to the letter, where questions in other words are given the answer, too.
    pub wording: Option<Question>,
}

impl Kept {
    /// # Errors
    /// When `wire` is no whole answer of its dialect.
    pub fn new(origin: Origin, wire: Bytes) -> Result<Self, Malformed> {
        let dialect = dialect::by_id(origin.dialect).ok_or_else(|| Malformed::new("its dialect is not built in"))?;
        let text = ByteString::try_from(wire.clone()).map_err(|_| Malformed::new("it is not UTF-8"))?;
        let id = dialect.read_completion(&text)?.id.place();
        Ok(Self { origin, outline: dialect.skim_completion(&text)?, wire, id })
    }

    /// The answer's body, with an id of its own: the old one's beginning, as `chatcmpl-`, and then `fresh`.
    pub fn wire(&self, fresh: &str) -> Bytes {
        self.renamed(fresh).unwrap_or_else(|| self.wire.clone())
    }

    fn renamed(&self, fresh: &str) -> Option<Bytes> {
        let Span { start, len } = self.id?;
        let (start, len) = (start as usize, len as usize);
        let (before, old, after) =
            (self.wire.get(..start)?, self.wire.get(start..start + len)?, self.wire.get(start + len..)?);
        let kind = old.iter().position(|byte| matches!(byte, b'-' | b'_')).map_or(0, |at| at + 1);
        Some([before, old.get(..kind)?, fresh.as_bytes(), after].concat().into())
    }

    /// Its usage and how it ended, but not what it says.
    pub fn outline(&self) -> &Completion {
        &self.outline
    }

    /// The answer as a store may write it: whose and to which question it is, and all that is needed to know it again.
    pub fn write(&self, place: &Place) -> Vec<u8> {
        let Origin { at, dialect, target, provider, model, cost, wording } = &self.origin;
        let head = Head {
            at: at.as_millisecond(),
            dialect: dialect.0.to_owned(),
            target: target.clone(),
            provider: provider.clone(),
            model: model.clone(),
            cost: *cost,
            wording: wording.map(|wording| wording.0),
        };
        // Nothing in it can fail to be JSON.
        let head = serde_json::to_vec(&head).unwrap_or_default();
        let length = u32::try_from(head.len()).unwrap_or(0).to_be_bytes();
        let [scope, question] = place.key();
        let rest = [&scope, &question, length.as_slice(), head.as_slice(), self.wire.as_ref()].concat();
        let sum = crc32fast::hash(&rest).to_be_bytes();
        [[VERSION].as_slice(), sum.as_slice(), rest.as_slice()].concat()
    }

    /// Reads what [`write`](Self::write) wrote for that place. `None` for anything else: another version's, what is
    /// damaged, and what has come to lie where it does not belong.
    pub fn read(stored: Bytes, place: &Place) -> Option<Self> {
        let (version, rest) = stored.split_first()?;
        let (sum, rest) = rest.split_first_chunk()?;
        if *version != VERSION || u32::from_be_bytes(*sum) != crc32fast::hash(rest) {
            return None;
        }
        let (scope, rest) = rest.split_first_chunk::<32>()?;
        let (question, rest) = rest.split_first_chunk::<32>()?;
        if [*scope, *question] != place.key() {
            return None;
        }
        let (length, rest) = rest.split_first_chunk()?;
        let length = u32::from_be_bytes(*length) as usize;
        let Head { at, dialect, target, provider, model, cost, wording } =
            serde_json::from_slice(rest.get(..length)?).ok()?;
        let known = dialect::ALL.iter().find(|known| known.id().0 == dialect)?;
        let (at, wording) = (Timestamp::from_millisecond(at).ok()?, wording.map(Question));
        let origin = Origin { at, dialect: known.id(), target, provider, model, cost, wording };
        Self::new(origin, stored.slice(BEFORE + length..)).ok()
    }

    /// When an answer was made that [`write`](Self::write) wrote; Unix milliseconds.
    pub(super) fn made_at(stored: &[u8]) -> Option<i64> {
        let (length, rest) = stored.get(BEFORE - 4..)?.split_first_chunk()?;
        let head: Head = serde_json::from_slice(rest.get(..u32::from_be_bytes(*length) as usize)?).ok()?;
        Some(head.at)
    }

    /// Bytes that it takes, about.
    pub fn size(&self) -> u64 {
        self.wire.len() as u64 + OVERHEAD
    }
}

/// What is written of an answer before its body.
#[derive(serde::Serialize, serde::Deserialize)]
struct Head {
    /// Unix milliseconds.
    at: i64,
    dialect: String,
    target: Option<TargetName>,
    provider: Option<ProviderName>,
    model: ModelName,
    cost: Option<Nanos>,
    wording: Option<[u8; 32]>,
}

/// Another one whenever what is written means something else.
pub(in crate::state) const VERSION: u8 = 4;
/// Version, checksum, scope, question and length.
const BEFORE: usize = 73;
/// What is kept beside the body.
const OVERHEAD: u64 = 512;
