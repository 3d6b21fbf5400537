//! The prices of one tier, and the tiers of one service.

use crate::base::money::Nanos;
use crate::chat::{TokenKind, Usage};

/// What a million tokens cost, for each way a token is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Card {
    pub(super) text_in: Nanos,
    pub(super) cache_read: Nanos,
    pub(super) cache_write_5m: Nanos,
    pub(super) cache_write_1h: Nanos,
    pub(super) audio_in: Nanos,
    pub(super) image_in: Nanos,
    pub(super) out: Nanos,
    pub(super) reasoning: Nanos,
    pub(super) audio_out: Nanos,
}

/// Which parts a request may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    Text,
    Media,
}

/// One service's prices: the card that holds from the first token on, and those of longer requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tariff {
    pub(super) card: Card,
    /// Ascending; a card holds for the whole of a request with *more* input tokens than its bound.
    pub(super) over: Vec<(u64, Card)>,
}

impl Card {
    /// The same price for all input, and one for all output.
    pub(super) fn plain(input: Nanos, output: Nanos) -> Self {
        Self {
            text_in: input,
            cache_read: input,
            cache_write_5m: input,
            cache_write_1h: input,
            audio_in: input,
            image_in: input,
            out: output,
            reasoning: output,
            audio_out: output,
        }
    }

    /// In millionths of a nano-dollar.
    pub(super) fn cost(&self, usage: &Usage) -> i128 {
        self.parts(usage).fold(0, |sum, (_, cost)| sum.saturating_add(cost))
    }

    /// The same by kinds of token.
    pub(super) fn parts(&self, usage: &Usage) -> impl Iterator<Item = (TokenKind, i128)> {
        usage.parts().into_iter().map(|(kind, tokens)| (kind, product(self.price(kind), tokens.unwrap_or(0))))
    }

    fn price(&self, kind: TokenKind) -> Nanos {
        match kind {
            TokenKind::TextIn => self.text_in,
            TokenKind::CacheRead => self.cache_read,
            TokenKind::CacheWrite5m => self.cache_write_5m,
            TokenKind::CacheWrite1h => self.cache_write_1h,
            TokenKind::AudioIn => self.audio_in,
            TokenKind::ImageIn => self.image_in,
            TokenKind::Out => self.out,
            TokenKind::ReasoningOut => self.reasoning,
            TokenKind::AudioOut => self.audio_out,
        }
    }

    #[cfg(test)]
    pub(super) fn columns(&self) -> [Nanos; 9] {
        [
            self.text_in,
            self.cache_read,
            self.cache_write_5m,
            self.cache_write_1h,
            self.audio_in,
            self.image_in,
            self.out,
            self.reasoning,
            self.audio_out,
        ]
    }

    fn dearest_in(&self, parts: Parts) -> Nanos {
        let text = self.text_in.max(self.cache_read).max(self.cache_write_5m).max(self.cache_write_1h);
        match parts {
            Parts::Text => text,
            Parts::Media => text.max(self.audio_in).max(self.image_in),
        }
    }

    fn dearest_out(&self, parts: Parts) -> Nanos {
        let text = self.out.max(self.reasoning);
        match parts {
            Parts::Text => text,
            Parts::Media => text.max(self.audio_out),
        }
    }

    pub(super) fn each(&self, price: impl Fn(Nanos) -> Nanos) -> Self {
        Self {
            text_in: price(self.text_in),
            cache_read: price(self.cache_read),
            cache_write_5m: price(self.cache_write_5m),
            cache_write_1h: price(self.cache_write_1h),
            audio_in: price(self.audio_in),
            image_in: price(self.image_in),
            out: price(self.out),
            reasoning: price(self.reasoning),
            audio_out: price(self.audio_out),
        }
    }
}

impl Tariff {
    /// In millionths of a nano-dollar.
    pub(super) fn cost(&self, usage: &Usage) -> i128 {
        self.card_for(usage).cost(usage)
    }

    /// The card that holds for a request of so many tokens.
    pub(super) fn card_for(&self, usage: &Usage) -> &Card {
        let input = usage.input();
        let tier = self.over.iter().rev().find(|(bound, _)| input > *bound);
        tier.map_or(&self.card, |(_, card)| card)
    }

    /// The most that so much may cost, in millionths of a nano-dollar.
    ///
    /// Each side is taken at its dearest in any tier that so much input can reach, since a longer tier may be
    /// the cheaper one.
    pub(super) fn worst(&self, input: u64, output: u64, parts: Parts) -> i128 {
        let reached = || {
            let longer = self.over.iter().filter(|(bound, _)| input > *bound).map(|(_, card)| card);
            std::iter::once(&self.card).chain(longer)
        };
        let dearest_in = reached().map(|card| card.dearest_in(parts)).max().unwrap_or_default();
        let dearest_out = reached().map(|card| card.dearest_out(parts)).max().unwrap_or_default();
        product(dearest_in, input).saturating_add(product(dearest_out, output))
    }

    pub(super) fn each(&self, price: impl Fn(Nanos) -> Nanos) -> Self {
        Self {
            card: self.card.each(&price),
            over: self.over.iter().map(|(bound, card)| (*bound, card.each(&price))).collect(),
        }
    }
}

/// A price for a million times a number of tokens: millionths of a nano-dollar.
fn product(price: Nanos, tokens: u64) -> i128 {
    i128::from(price.0).saturating_mul(i128::from(tokens))
}
