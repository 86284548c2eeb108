// SPDX-License-Identifier: GPL-2.0-only

//! What the fuzz targets have in common: under libFuzzer each is its input loop, otherwise a program that
//! replays recorded inputs.

#[cfg(fuzzing)]
pub use libfuzzer_sys;

/// Makes the program of the fuzz target whose body is `rvs_host_tests::fuzz::$body`.
#[macro_export]
macro_rules! target {
    ($body:ident) => {
        #[cfg(fuzzing)]
        use $crate::libfuzzer_sys;
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| rvs_host_tests::fuzz::$body(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            $crate::replay(rvs_host_tests::fuzz::$body)
        }
    };
}

/// Runs `body` over the contents of the files named on the command line.
///
/// # Errors
///
/// The first file that cannot be read.
pub fn replay(body: fn(&[u8])) -> std::io::Result<()> {
    for file in std::env::args_os().skip(1) {
        body(&std::fs::read(&file)?);
        println!("{}: passed", file.to_string_lossy());
    }
    Ok(())
}
