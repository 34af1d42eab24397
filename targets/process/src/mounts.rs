//! Whether a program would see what was meant: looked at once its sandbox is made, before it runs.
//!
//! A program that runs meanwhile in the same workspace can put a link in the place of a folder
//! between a look at it and its mounting. The kernel's own list of mounts tells what is really
//! mounted.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// What is mounted: a device, and a folder of the file system on it.
type Source<'a> = (&'a [u8], PathBuf);

/// Compares binds, each a source without links and a target, with what is mounted, given our own and
/// the sandbox's `/proc/PID/mountinfo` (proc(5)). Fails with the first source that is another.
pub fn compare<'a>(
    own: &[u8],
    theirs: &[u8],
    binds: impl IntoIterator<Item = (&'a Path, &'a Path)>,
) -> Result<(), String> {
    for (source, target) in binds {
        let meant = of_path(own, source);
        if meant.is_none() || mounted_at(theirs, target) != meant {
            let source = source.display();
            return Err(format!("{source} was exchanged while the sandbox was made"));
        }
    }
    Ok(())
}

/// Whether both lists have the same root.
#[must_use]
pub fn same_root(own: &[u8], theirs: &[u8]) -> bool {
    let root = Path::new("/");
    mounted_at(own, root) == mounted_at(theirs, root)
}

/// Whether something is mounted at just `place`.
#[must_use]
pub fn is_mounted(mounts: &[u8], place: &Path) -> bool {
    mounted_at(mounts, place).is_some()
}

/// One line: device, folder on it, and where that is.
fn entry(line: &[u8]) -> Option<(&[u8], PathBuf, PathBuf)> {
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    let device = fields.next()?;
    let root = plain(fields.next()?);
    Some((device, root, plain(fields.next()?)))
}

/// What a path without links is on its device.
fn of_path<'a>(mounts: &'a [u8], path: &Path) -> Option<Source<'a>> {
    let (device, root, point) = mounts
        .split(|byte| *byte == b'\n')
        .filter_map(entry)
        .filter(|(_, _, point)| path.starts_with(point))
        // Of several at one place the last covers the others.
        .max_by_key(|(_, _, point)| point.components().count())?;
    let rest = path.strip_prefix(point).ok()?;
    // Joining nothing would add a slash.
    let folder = match rest.as_os_str().is_empty() {
        true => root,
        false => root.join(rest),
    };
    Some((device, folder))
}

/// What is mounted at just this place.
fn mounted_at<'a>(mounts: &'a [u8], place: &Path) -> Option<Source<'a>> {
    mounts
        .split(|byte| *byte == b'\n')
        .filter_map(entry)
        .rfind(|(_, _, point)| point == place)
        .map(|(device, root, _)| (device, root))
}

/// A path as the kernel writes it: spaces and the like as three octal digits.
fn plain(field: &[u8]) -> PathBuf {
    let mut text = Vec::new();
    let mut bytes = field.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            text.push(byte);
            continue;
        }
        let digits = bytes.by_ref().take(3).map(|digit| digit.wrapping_sub(b'0'));
        text.push(digits.fold(0, |value: u8, digit| {
            value.wrapping_mul(8).wrapping_add(digit)
        }));
    }
    OsString::from_vec(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:25 / /proc rw - proc proc rw
40 22 8:1 /people /home rw - ext4 /dev/sda1 rw
41 40 8:2 / /home/me/big\\040disk rw - ext4 /dev/sda2 rw
";

    fn compared(theirs: &str, paths: &[&str]) -> Result<(), String> {
        let paths = paths.iter().map(Path::new);
        compare(
            OWN.as_bytes(),
            theirs.as_bytes(),
            paths.map(|path| (path, path)),
        )
    }

    #[test]
    fn what_was_meant_is_mounted() {
        let theirs = "\
100 90 0:60 / / ro - overlay overlay rw
101 100 8:1 /people/me/work /home/me/work rw - ext4 /dev/sda1 rw
102 101 8:1 /people/me/work/.git /home/me/work/.git ro - ext4 /dev/sda1 rw
103 100 254:0 /usr /usr ro - ext4 /dev/vda rw
104 100 8:2 /in\\040it /home/me/big\\040disk/in\\040it rw - ext4 /dev/sda2 rw
";
        compared(
            theirs,
            &[
                "/home/me/work",
                "/home/me/work/.git",
                "/usr",
                "/home/me/big disk/in it",
            ],
        )
        .unwrap();
    }

    #[test]
    fn anything_else_is_named() {
        for other in [
            // A link led elsewhere, on the same disk or another, or the mount is not there.
            "102 101 8:1 /people/me/.ssh /home/me/work/.git ro - ext4 /dev/sda1 rw",
            "102 101 254:0 /people/me/work/.git /home/me/work/.git ro - ext4 /dev/vda rw",
            "102 101 8:1 /people/me/work/.git//deleted /home/me/work/.git ro - ext4 /dev/sda1 rw",
            "102 101 8:1 /people/me/work/.git /home/me/work/away ro - ext4 /dev/sda1 rw",
            "",
        ] {
            let error = compared(other, &["/home/me/work/.git"]).unwrap_err();
            assert!(
                error.starts_with("/home/me/work/.git was exchanged"),
                "{error}"
            );
        }
        // What covers it counts.
        let covered = "\
102 101 8:1 /people/me/work /home/me/work rw - ext4 /dev/sda1 rw
103 102 254:0 /etc /home/me/work rw - ext4 /dev/vda rw
";
        compared(covered, &["/home/me/work"]).unwrap_err();
    }
}
