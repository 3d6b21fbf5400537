//! What an answer took, counted so that no token is counted twice.

use crate::base::json::Json;
use crate::base::text::Text;

/// Disjoint token counts: their sum is the provider's total.
///
/// Providers disagree on what "input" includes; each dialect sorts that out when it reads. `Some(0)` is a
/// provider's word, `None` its silence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Fresh text input: neither read from nor written to a prompt cache, neither sound nor image.
    pub text_in: Option<u64>,
    pub cache_read: Option<u64>,
    /// Written to a prompt cache with the short (five-minute) lifetime, or with none named.
    pub cache_write_5m: Option<u64>,
    pub cache_write_1h: Option<u64>,
    pub audio_in: Option<u64>,
    pub image_in: Option<u64>,
    /// Output that is neither reasoning nor sound.
    pub out: Option<u64>,
    pub reasoning_out: Option<u64>,
    pub audio_out: Option<u64>,
    /// The class of service it was charged by, in the provider's word.
    pub service: Option<Text>,
    /// The provider's own object, written again where the answer leaves in its dialect.
    pub wire: Option<Json>,
}

/// A way in which a token is counted, and charged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    TextIn,
    CacheRead,
    CacheWrite5m,
    CacheWrite1h,
    AudioIn,
    ImageIn,
    Out,
    ReasoningOut,
    AudioOut,
}

impl TokenKind {
    pub fn is_input(self) -> bool {
        !matches!(self, Self::Out | Self::ReasoningOut | Self::AudioOut)
    }

    /// As records call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TextIn => "text_in",
            Self::CacheRead => "cache_read",
            Self::CacheWrite5m => "cache_write_5m",
            Self::CacheWrite1h => "cache_write_1h",
            Self::AudioIn => "audio_in",
            Self::ImageIn => "image_in",
            Self::Out => "out",
            Self::ReasoningOut => "reasoning_out",
            Self::AudioOut => "audio_out",
        }
    }
}

impl Usage {
    /// The counts alone, which hold on to nothing they were read from.
    #[must_use]
    pub fn detached(self) -> Self {
        Self { service: self.service.map(|service| service.as_str().into_owned().into()), wire: None, ..self }
    }

    /// The counts, input first.
    pub fn parts(&self) -> [(TokenKind, Option<u64>); 9] {
        [
            (TokenKind::TextIn, self.text_in),
            (TokenKind::CacheRead, self.cache_read),
            (TokenKind::CacheWrite5m, self.cache_write_5m),
            (TokenKind::CacheWrite1h, self.cache_write_1h),
            (TokenKind::AudioIn, self.audio_in),
            (TokenKind::ImageIn, self.image_in),
            (TokenKind::Out, self.out),
            (TokenKind::ReasoningOut, self.reasoning_out),
            (TokenKind::AudioOut, self.audio_out),
        ]
    }

    /// So much text in and out, and nothing else.
    pub fn of(input: u64, output: u64) -> Self {
        Self { text_in: Some(input), out: Some(output), ..Self::default() }
    }

    pub fn input(&self) -> u64 {
        sum(&[self.text_in, self.cache_read, self.cache_write_5m, self.cache_write_1h, self.audio_in, self.image_in])
    }

    /// The input, unless the provider was silent on all of it.
    pub fn input_said(&self) -> Option<u64> {
        let parts =
            [self.text_in, self.cache_read, self.cache_write_5m, self.cache_write_1h, self.audio_in, self.image_in];
        parts.iter().any(Option::is_some).then(|| self.input())
    }

    /// The output, unless the provider was silent on all of it.
    pub fn output_said(&self) -> Option<u64> {
        let parts = [self.out, self.reasoning_out, self.audio_out];
        parts.iter().any(Option::is_some).then(|| self.output())
    }

    pub fn cache_write(&self) -> u64 {
        sum(&[self.cache_write_5m, self.cache_write_1h])
    }

    pub fn output(&self) -> u64 {
        sum(&[self.out, self.reasoning_out, self.audio_out])
    }

    pub fn total(&self) -> u64 {
        self.input().saturating_add(self.output())
    }

    /// Takes over what `later` says; what it is silent on stays. Streams report usage in instalments, each
    /// a running total.
    pub fn update(&mut self, later: &Self) {
        let take = |mine: &mut Option<u64>, theirs: Option<u64>| *mine = theirs.or(*mine);
        take(&mut self.text_in, later.text_in);
        take(&mut self.cache_read, later.cache_read);
        take(&mut self.cache_write_5m, later.cache_write_5m);
        take(&mut self.cache_write_1h, later.cache_write_1h);
        take(&mut self.audio_in, later.audio_in);
        take(&mut self.image_in, later.image_in);
        take(&mut self.out, later.out);
        take(&mut self.reasoning_out, later.reasoning_out);
        take(&mut self.audio_out, later.audio_out);
        self.service = later.service.clone().or(self.service.take());
        self.wire = later.wire.clone().or(self.wire.take());
    }
}

fn sum(parts: &[Option<u64>]) -> u64 {
    parts.iter().flatten().fold(0, |sum, part| sum.saturating_add(*part))
}
