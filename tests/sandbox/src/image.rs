//! The image of the tests: a shell of its own, and links to the host's system, which tests bind when
//! they need more than that.
//!
//! It needs no network and takes no time. It sets what images can set, so that the tests see that
//! none of it reaches a program.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bollard::{API_DEFAULT_VERSION, Docker, query_parameters::CreateImageOptionsBuilder};
use futures_util::StreamExt;

/// Where the image would have a folder on the disk.
pub const DATA: &str = "/data";
/// The name that the image is found by in an engine that is not our own.
const NAME: &str = "tau-sandbox-tests:made-by-the-tests";
/// Of the system's folders, those that may be links into `/usr`. Not `/sbin`: that is where an engine
/// puts a container's first program.
const LINKS: &[&str] = &["bin", "lib", "lib32", "lib64", "libx32"];
const FOLDERS: &[&str] = &[
    "dev", "etc", "proc", "run", "sbin", "sys", "tmp", "usr", "var", "var/tmp",
];
/// A shell that needs no libraries.
const BUSYBOX: &str = "/usr/bin/busybox";
const CHANGES: &[&str] = &[
    "ENV OF_IMAGE=yes",
    "ENV PATH=/usr/bin:/bin:/usr/sbin:/sbin",
    "VOLUME /data",
    "USER 0:0",
    "WORKDIR /var",
    "ENTRYPOINT [\"/bin/false\"]",
    "HEALTHCHECK --interval=1s CMD touch /data/checked",
];

/// What of the host's system the image is to be given.
#[must_use]
pub fn readable() -> Vec<PathBuf> {
    let links = LINKS.iter().map(|name| Path::new("/").join(name));
    let folders = links.filter(|path| path.is_dir() && !path.is_symlink());
    // Python and others lead on through this one.
    let alternatives = PathBuf::from("/etc/alternatives");
    [PathBuf::from("/usr")]
        .into_iter()
        .chain(folders)
        .chain(alternatives.is_dir().then_some(alternatives))
        .collect()
}

/// Makes the image, if the engine does not have it, and says its identifier.
pub(crate) fn import(socket: &Path) -> io::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let engine = Docker::connect_with_unix(&socket.to_string_lossy(), 60, API_DEFAULT_VERSION)
            .map_err(io::Error::other)?
            .negotiate_version()
            .await
            .map_err(io::Error::other)?;
        if let Ok(found) = engine.inspect_image(NAME).await {
            return found
                .id
                .ok_or_else(|| io::Error::other("an image without an identifier"));
        }
        let (repository, tag) = NAME.split_once(':').unwrap_or((NAME, "latest"));
        let options = CreateImageOptionsBuilder::new()
            .from_src("-")
            .repo(repository)
            .tag(tag)
            .changes(vec![CHANGES.join("\n")])
            .build();
        let body = bollard::body_full(archive()?.into());
        let mut answers = engine.create_image(Some(options), Some(body), None).boxed();
        while let Some(answer) = answers.next().await {
            answer.map_err(io::Error::other)?;
        }
        let found = engine.inspect_image(NAME).await.map_err(io::Error::other)?;
        found
            .id
            .ok_or_else(|| io::Error::other("an image without an identifier"))
    })
}

fn archive() -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for name in FOLDERS {
        folder(&mut archive, name)?;
    }
    for name in LINKS {
        match fs::read_link(Path::new("/").join(name)) {
            Ok(to) => {
                let mut header = header(tar::EntryType::Symlink, 0o777);
                archive.append_link(&mut header, name, to)?;
            }
            Err(_) if Path::new("/").join(name).is_dir() => folder(&mut archive, name)?,
            Err(_) => {}
        }
    }
    let shell = fs::read(BUSYBOX).map_err(|error| {
        io::Error::other(format!(
            "cannot read {BUSYBOX} ({error}): cargo xtask setup"
        ))
    })?;
    // Where the link leads, if `/bin` is one.
    let place = if Path::new("/bin").is_symlink() {
        "usr/bin"
    } else {
        "bin"
    };
    for name in ["sh", "rm"] {
        let mut header = header(tar::EntryType::Regular, 0o755);
        header.set_size(shell.len() as u64);
        archive.append_data(&mut header, format!("{place}/{name}"), &shell[..])?;
    }
    let users = b"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n";
    let mut header = header(tar::EntryType::Regular, 0o644);
    header.set_size(users.len() as u64);
    archive.append_data(&mut header, "etc/passwd", &users[..])?;
    archive.into_inner()
}

fn folder(archive: &mut tar::Builder<Vec<u8>>, name: &str) -> io::Result<()> {
    let mut header = header(tar::EntryType::Directory, 0o755);
    archive.append_data(&mut header, name, io::empty())
}

fn header(kind: tar::EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(0);
    header
}
