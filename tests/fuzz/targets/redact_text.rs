#![no_main]

use std::sync::LazyLock;

use tidegate_fuzz::redact::House;

static HOUSE: LazyLock<House> = LazyLock::new(House::default);

libfuzzer_sys::fuzz_target!(|data: &[u8]| HOUSE.text(data));
