//! The error numbers of WASI preview 1 that are given out here.

use core::fmt;

macro_rules! errnos {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        /// Why a function of the interface failed; the program gets the number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum Errno {
            $(#[doc = $text] $name = $number,)*
        }

        impl fmt::Display for Errno {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $text,)* })
            }
        }
    };
}

errnos! {
    Access = 2, "permission denied";
    Again = 6, "not ready";
    BadFile = 8, "not an open file";
    Busy = 10, "busy";
    Exists = 20, "exists already";
    Fault = 21, "outside of memory";
    FileTooBig = 22, "file too large";
    IllegalBytes = 25, "not UTF-8";
    Invalid = 28, "invalid argument";
    Io = 29, "input or output failed";
    IsDirectory = 31, "is a directory";
    Loop = 32, "too many symbolic links";
    TooManyFiles = 33, "too many open files";
    NameTooLong = 37, "name too long";
    NotFound = 44, "not found";
    NoSpace = 51, "no space left";
    NoSystem = 52, "no such function";
    NotDirectory = 54, "not a directory";
    NotEmpty = 55, "directory not empty";
    NotSocket = 57, "not a socket";
    NotSupported = 58, "not supported";
    Overflow = 61, "value too large";
    NotPermitted = 63, "not permitted";
    Pipe = 64, "broken pipe";
    ReadOnly = 69, "read-only directory";
    NotSeekable = 70, "cannot seek";
    OtherDevice = 75, "another file system";
    NotCapable = 76, "not granted";
}

impl core::error::Error for Errno {}
