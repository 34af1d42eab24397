//! Directories of the machine, by handles that no path leads out of: neither `..`, nor an absolute
//! path, nor a symbolic link, whoever made it and whenever (cap-std).

use crate::{Directory, Entry, Errno, File, Kind, OpenFlags, Opened, Stat, Times};
use alloc::{borrow::ToOwned, boxed::Box, string::String, vec::Vec};
use cap_fs_ext::{
    DirExt, FollowSymlinks, MetadataExt, OpenOptionsFollowExt, OpenOptionsMaybeDirExt,
    SystemTimeSpec,
};
use cap_std::{
    ambient_authority,
    fs::{Dir, FileType, Metadata, OpenOptions},
    time::SystemTime as CapTime,
};
use core::any::Any;
use std::{
    fs,
    io::{self, ErrorKind},
    time::{Duration, SystemTime},
};

/// A directory of the machine.
pub struct HostDirectory(Dir);

impl HostDirectory {
    /// The directory at `path`, wherever that is: who says the path grants the directory.
    pub fn open(path: &str) -> io::Result<Self> {
        Dir::open_ambient_dir(path, ambient_authority()).map(Self)
    }

    fn other(directory: &dyn Directory) -> Result<&Dir, Errno> {
        let directory: &dyn Any = directory;
        let other = directory.downcast_ref::<Self>();
        other.map(|other| &other.0).ok_or(Errno::OtherDevice)
    }
}

impl Directory for HostDirectory {
    fn open(&self, path: &str, flags: OpenFlags) -> Result<Opened, Errno> {
        if flags.directory {
            let opened = match flags.follow {
                true => self.0.open_dir(path),
                false => self.0.open_dir_nofollow(path),
            };
            let opened = opened.map_err(errno)?;
            return Ok(Opened::Directory(Box::new(Self(opened))));
        }
        let mut options = OpenOptions::new();
        let writes = flags.write || flags.create || flags.truncate;
        options
            .read(flags.read || !writes)
            .write(writes)
            .create(flags.create)
            .create_new(flags.create && flags.exclusive)
            .truncate(flags.truncate)
            .follow(follow(flags.follow))
            .maybe_dir(true);
        // A pipe without a writer would hold the open, and with it the deadline.
        #[cfg(unix)]
        {
            use cap_std::fs::OpenOptionsExt;
            options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
        }
        let opened = self.0.open_with(path, &options).map_err(errno)?.into_std();
        let kind = opened.metadata().map_err(errno)?.file_type();
        match (kind.is_file(), kind.is_dir()) {
            (true, _) => Ok(Opened::File(Box::new(HostFile(opened)))),
            (_, true) => Ok(Opened::Directory(Box::new(Self(Dir::from_std_file(
                opened,
            ))))),
            _ => Err(Errno::NotSupported),
        }
    }

    fn entries(&self) -> Result<Vec<Entry>, Errno> {
        let mut entries = Vec::new();
        for entry in self.0.entries().map_err(errno)? {
            let entry = entry.map_err(errno)?;
            // A name that is not text has no path a program could open it by.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // It may be gone since.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            entries.push(Entry {
                name,
                inode: metadata.ino(),
                kind: kind(metadata.file_type()),
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn stat(&self, path: &str, follow: bool) -> Result<Stat, Errno> {
        let metadata = match (path, follow) {
            (".", _) => self.0.dir_metadata(),
            (_, true) => self.0.metadata(path),
            (_, false) => self.0.symlink_metadata(path),
        };
        metadata.map(|metadata| stat(&metadata)).map_err(errno)
    }

    fn set_times(&self, path: &str, follow: bool, times: Times) -> Result<(), Errno> {
        let (accessed, modified) = (spec(times.accessed_ns), spec(times.modified_ns));
        let done = match follow {
            true => self.0.set_times(path, accessed, modified),
            false => self.0.set_symlink_times(path, accessed, modified),
        };
        done.map_err(errno)
    }

    fn create_directory(&self, path: &str) -> Result<(), Errno> {
        self.0.create_dir(path).map_err(errno)
    }

    fn remove_directory(&self, path: &str) -> Result<(), Errno> {
        self.0.remove_dir(path).map_err(errno)
    }

    fn remove_file(&self, path: &str) -> Result<(), Errno> {
        self.0.remove_file(path).map_err(errno)
    }

    fn rename(&self, path: &str, target: &dyn Directory, to: &str) -> Result<(), Errno> {
        self.0.rename(path, Self::other(target)?, to).map_err(errno)
    }

    fn link(&self, path: &str, target: &dyn Directory, to: &str) -> Result<(), Errno> {
        self.0
            .hard_link(path, Self::other(target)?, to)
            .map_err(errno)
    }

    fn symlink(&self, text: &str, path: &str) -> Result<(), Errno> {
        DirExt::symlink(&self.0, text, path).map_err(errno)
    }

    fn read_link(&self, path: &str) -> Result<String, Errno> {
        let text = self.0.read_link(path).map_err(errno)?;
        text.to_str()
            .map(ToOwned::to_owned)
            .ok_or(Errno::IllegalBytes)
    }
}

/// An open file of the machine.
struct HostFile(fs::File);

impl File for HostFile {
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        std::os::unix::fs::FileExt::read_at(&self.0, buffer, offset).map_err(errno)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        std::os::windows::fs::FileExt::seek_read(&self.0, buffer, offset).map_err(errno)
    }

    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
        std::os::unix::fs::FileExt::write_at(&self.0, bytes, offset).map_err(errno)
    }

    #[cfg(windows)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
        std::os::windows::fs::FileExt::seek_write(&self.0, bytes, offset).map_err(errno)
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        self.0.set_len(size).map_err(errno)
    }

    fn stat(&self) -> Result<Stat, Errno> {
        let metadata = Metadata::from_file(&self.0).map_err(errno)?;
        Ok(stat(&metadata))
    }

    fn set_times(&self, times: Times) -> Result<(), Errno> {
        let mut new = fs::FileTimes::new();
        if let Some(accessed) = times.accessed_ns {
            new = new.set_accessed(moment(accessed));
        }
        if let Some(modified) = times.modified_ns {
            new = new.set_modified(moment(modified));
        }
        self.0.set_times(new).map_err(errno)
    }

    fn sync(&self) -> Result<(), Errno> {
        self.0.sync_all().map_err(errno)
    }
}

fn follow(follows: bool) -> FollowSymlinks {
    match follows {
        true => FollowSymlinks::Yes,
        false => FollowSymlinks::No,
    }
}

fn kind(file: FileType) -> Kind {
    match (file.is_dir(), file.is_file(), file.is_symlink()) {
        (true, ..) => Kind::Directory,
        (_, true, _) => Kind::File,
        (.., true) => Kind::Link,
        _ => Kind::Unknown,
    }
}

fn stat(metadata: &Metadata) -> Stat {
    let ns = |time: io::Result<CapTime>| {
        let since = time.map(|time| time.into_std().duration_since(SystemTime::UNIX_EPOCH));
        match since {
            Ok(Ok(since)) => u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            _ => 0,
        }
    };
    let modified_ns = ns(metadata.modified());
    #[cfg(unix)]
    let changed_ns = {
        use cap_std::fs::MetadataExt;
        let seconds = u64::try_from(metadata.ctime()).unwrap_or(0);
        let rest = u64::try_from(metadata.ctime_nsec()).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).saturating_add(rest)
    };
    #[cfg(not(unix))]
    let changed_ns = modified_ns;
    Stat {
        device: MetadataExt::dev(metadata),
        inode: MetadataExt::ino(metadata),
        kind: kind(metadata.file_type()),
        links: MetadataExt::nlink(metadata),
        size: metadata.len(),
        accessed_ns: ns(metadata.accessed()),
        modified_ns,
        changed_ns,
    }
}

fn moment(nanoseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

fn spec(time: Option<u64>) -> Option<SystemTimeSpec> {
    time.map(|time| SystemTimeSpec::Absolute(CapTime::from_std(moment(time))))
}

/// The interface's number for an error of the machine.
fn errno(error: io::Error) -> Errno {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return Errno::Loop;
    }
    match error.kind() {
        // An error without a number is cap-std's own: a path that led out.
        ErrorKind::PermissionDenied if error.raw_os_error().is_none() => Errno::NotPermitted,
        ErrorKind::PermissionDenied => Errno::Access,
        ErrorKind::NotFound => Errno::NotFound,
        ErrorKind::AlreadyExists => Errno::Exists,
        ErrorKind::InvalidInput => Errno::Invalid,
        ErrorKind::NotADirectory => Errno::NotDirectory,
        ErrorKind::IsADirectory => Errno::IsDirectory,
        ErrorKind::DirectoryNotEmpty => Errno::NotEmpty,
        ErrorKind::ReadOnlyFilesystem => Errno::ReadOnly,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Errno::NoSpace,
        ErrorKind::FileTooLarge => Errno::FileTooBig,
        ErrorKind::CrossesDevices => Errno::OtherDevice,
        ErrorKind::InvalidFilename => Errno::NameTooLong,
        ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => Errno::Busy,
        ErrorKind::BrokenPipe => Errno::Pipe,
        ErrorKind::WouldBlock => Errno::Again,
        ErrorKind::Unsupported => Errno::NotSupported,
        _ => Errno::Io,
    }
}
