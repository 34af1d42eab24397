//! What a program in Rust sees through its standard library.

use std::{
    collections::HashMap,
    env, fs,
    io::{Read, Seek, SeekFrom, Write},
    process, thread,
    time::{Duration, Instant, SystemTime},
};

fn main() {
    println!("{:?}", env::args().collect::<Vec<_>>());
    println!("{:?}", env::vars().collect::<Vec<_>>());
    let mut input = String::new();
    println!("{:?}", std::io::stdin().read_to_string(&mut input));
    println!("{input}");
    // Its keys are random: the same ones in every run.
    let squares: HashMap<u32, u32> = (0..8).map(|n| (n, n * n)).collect();
    println!("{squares:?}");
    println!("{:?}", SystemTime::UNIX_EPOCH.elapsed());
    let begun = Instant::now();
    thread::sleep(Duration::from_millis(250));
    println!("{:?}", begun.elapsed());
    files().unwrap();
    println!(
        "{:?}",
        fs::read("/data/../../etc/passwd").map_err(|error| error.kind())
    );
    println!(
        "{:?}",
        fs::read("/etc/passwd").map_err(|error| error.kind())
    );
    println!(
        "{:?}",
        std::net::TcpStream::connect("127.0.0.1:1").map_err(|error| error.kind())
    );
    eprintln!("done");
    process::exit(9);
}

fn files() -> std::io::Result<()> {
    println!("{:?}", fs::read_to_string("/data/given/a.txt")?);
    fs::create_dir_all("/data/new/deep")?;
    let mut file = fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open("/data/new/deep/b.txt")?;
    file.write_all(b"0123456789")?;
    file.seek(SeekFrom::Start(4))?;
    file.write_all(b"four")?;
    file.rewind()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    println!("{text} {}", file.metadata()?.len());
    fs::rename("/data/new/deep/b.txt", "/data/given/b.txt")?;
    let names = fs::read_dir("/data/given")?.map(|entry| Ok(entry?.file_name()));
    println!("{:?}", names.collect::<std::io::Result<Vec<_>>>()?);
    let again = fs::File::options()
        .write(true)
        .create_new(true)
        .open("/data/given/b.txt");
    println!("{:?}", again.map(drop).map_err(|error| error.kind()));
    fs::remove_dir_all("/data/new")?;
    println!(
        "{:?}",
        fs::metadata("/data/new")
            .map(drop)
            .map_err(|error| error.kind())
    );
    Ok(())
}
