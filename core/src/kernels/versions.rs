//! One loop for several vector units.

/// Compiles `$body` for the vector units that there may be, and picks at run time.
///
/// Unsafe, since a function compiled for more than every processor has cannot be called otherwise
/// from one that is not.
macro_rules! versions {
    ($(#[$doc:meta])* $name:ident = $body:ident($($arg:ident: $kind:ty),*)) => {
        $(#[$doc])*
        pub(super) fn $name($($arg: $kind),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx2,fma")]
                fn v4($($arg: $kind),*) {
                    $body::<true>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn v3($($arg: $kind),*) {
                    $body::<true>($($arg),*)
                }
                let avx2 = std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("fma");
                if avx2 && std::arch::is_x86_feature_detected!("avx512f") {
                    // SAFETY: the processor has just said that it has these features.
                    #[allow(unsafe_code)]
                    return unsafe { v4($($arg),*) };
                }
                if avx2 {
                    // SAFETY: as above.
                    #[allow(unsafe_code)]
                    return unsafe { v3($($arg),*) };
                }
            }
            $body::<false>($($arg),*)
        }
    };
}

pub(super) use versions;
