#![no_main]

use tidegate::auth::KeyFile;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match KeyFile::parse(text) {
        Ok(file) => {
            let mut names: Vec<_> = file.keys.iter().map(|key| key.name.as_str()).collect();
            names.dedup();
            assert_eq!(names.len(), file.keys.len());
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                let _ = problem.to_string();
            }
        }
    }
});
