//! The config: any JSON is read or refused with reasons, and what was read is read again from what it is written as.
#![no_main]

use foreshard_core::model::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
    match Config::read(&document) {
        Ok(config) => {
            let written = serde_json::to_value(&config).expect("a config can be written");
            assert_eq!(Config::read(&written).as_ref(), Ok(&config));
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|p| p.sqlstate.len() == 5 && !p.message.is_empty()));
        }
    }
});
