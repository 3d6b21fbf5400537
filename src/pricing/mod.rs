//! What a request costs, by the public price tables of the vendors.
//!
//! A [`PriceList`] finds the [`Rates`] that held for a model on a day; rates turn a [`Usage`](crate::chat::Usage)
//! into [`Nanos`](crate::base::money::Nanos), or say beforehand what a request may cost at worst. `prices.yaml` is
//! the list that comes with the binary, and the example of how to write one:
//!
//! ```yaml
//! version: 1
//! vendors:
//!   openai:                         # the word for the kind of provider
//!     - source: https://developers.openai.com/api/docs/pricing
//!       checked: 2026-10-14
//!       models:
//!         gpt-6-sol:                # one row for each change of price, the oldest first
//!           - from: 2026-09-22
//!             in: "2.00"            # US dollars for a million tokens
//!             cache_read: "0.20"
//!             out: "10.00"
//!             over: { 272k: { in: "4.00", cache_read: "0.40", out: "15.00" } }
//!             batch: { times: "0.5" }
//!       aliases: { my-sol: gpt-6-sol }
//! ```
//!
//! **Sources.** Each group of rows names the vendor's page its figures stand on, and the day they were last
//! compared with it. A row holds from its date on. A model that has no row on a day has no price: that is `None`,
//! never zero, and what to do about it is the policy's decision.
//!
//! **What is left out** costs what its side costs: `cache_read`, `cache_write_5m`, `audio_in` and `image_in` like
//! `in`, `cache_write_1h` like `cache_write_5m`, `reasoning` and `audio_out` like `out`. A written `"0"` is a price.
//! A tier (`over`) and a service (`batch`, `flex`, `priority`) must price what the row prices, so that nothing falls
//! back to the price of another tier unseen.
//!
//! **Rounding.** Prices are whole nano-dollars for a million tokens. The parts of a cost are summed exactly and
//! rounded up once, to the next nano-dollar; what does not fit saturates. A factor or discount that does not come
//! out even makes a price dearer by less than a nano-dollar for a million tokens.
//!
//! **What it does not do.** It converts no currencies, and knows no taxes, credits, free tiers or committed use. It
//! does not price pictures, pages, characters, searches or other tools, nor storage of caches by the hour, nor
//! cached sound apart from cached text. It does not know the time of day: where a vendor has peak hours, the price
//! is that of the peak.

mod card;
mod list;
mod names;
mod rates;
mod read;
#[cfg(test)]
mod tests;
mod unknown;

pub use list::{Found, PriceList};
pub use rates::{Rates, Service, Terms};
pub use read::Mistake;
pub use unknown::Unknown;
