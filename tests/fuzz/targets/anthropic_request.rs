#![no_main]

use tidegate::dialect::anthropic_messages::AnthropicMessages;

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_fuzz::request(&AnthropicMessages, data));

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tidegate_fuzz::mutate::json(data, size, max_size, seed)
});
