#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntmc_fuzz::on_text(data, ntmc_fuzz::check_ir));
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    ntmc_fuzz::change(data, size, most, seed)
});
