//! Phrases by which texts try to give a model other orders: a heuristic, and named as one.
//!
//! It knows wordings, in some fifteen languages. Whoever words an attack anew, spreads it over sentences, or encodes
//! it, is not seen; and who writes *about* such attacks may be. So it reports unless a policy says otherwise, and no
//! profile of data has it. It looks at each text by itself and at nothing but its words.

mod marks;
mod orders;
mod role;
mod secrets;

use crate::steps::redact::kind::Kind;

pub const KINDS: &[Kind] = &[
    orders::OVERRIDE,
    secrets::REVEAL,
    role::ROLE,
    marks::MARKUP,
    marks::INDIRECT,
    secrets::EXFILTRATE,
    secrets::CONCEAL,
];
