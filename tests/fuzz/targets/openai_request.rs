#![no_main]

use tidegate::dialect::openai_chat::OpenAiChat;

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidegate_fuzz::request(&OpenAiChat, data));

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tidegate_fuzz::mutate::json(data, size, max_size, seed)
});
