//! What starting a program costs, by what confines it: `sh -c :`, from its start to its removal.
//!
//! All are measured in turns, so that what else the machine does falls on each. Beside Tau's engines
//! stand a process as the standard library starts it, and a container as the engine makes it when
//! nothing is asked of it.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "printing is what a benchmark is for, and one that cannot run fails by panicking"
)]

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the engines that are measured are for Linux");
}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        env, io,
        path::Path,
        process::Command,
        time::{Duration, Instant},
    };

    use bollard::{
        models::{ContainerCreateBody, HealthConfig, HostConfig},
        query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder},
    };
    use futures_util::StreamExt;
    use tau_sandbox_tests::{DATA, Shared, readable};
    use tau_target_bubblewrap::Bubblewrap;
    use tau_target_docker::{Configuration, Docker};
    use tau_target_process::{Bare, Confinement, Input, Job, Limits, Output, Running, Sandbox};

    /// How often each is measured.
    const ROUNDS: usize = 40;
    /// Rounds before those that count.
    const WARM_UP: usize = 3;

    /// The times of one row.
    struct Row {
        name: &'static str,
        /// Until it was started; empty where that cannot be told.
        starts: Vec<Duration>,
        /// From start to removal.
        calls: Vec<Duration>,
    }

    impl Row {
        fn new(name: &'static str) -> Self {
            Self {
                name,
                starts: Vec::new(),
                calls: Vec::new(),
            }
        }

        fn add(&mut self, round: usize, [start, call]: [Duration; 2]) {
            if round >= WARM_UP {
                self.starts.push(start);
                self.calls.push(call);
            }
        }
    }

    pub(super) fn main() {
        let shared = Shared::get(
            Path::new(env!("CARGO_BIN_EXE_test-engine")),
            Path::new(env!("CARGO_TARGET_TMPDIR")),
        )
        .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let rows = runtime.block_on(measure(&shared));
        match env::args().any(|argument| argument == "--json") {
            true => print_json(&rows),
            false => print_table(&rows),
        }
    }

    async fn measure(shared: &Shared) -> [Row; 5] {
        let bubblewrap = Bubblewrap::find().unwrap();
        let docker = Docker::connect(Configuration {
            socket: Some(shared.engine.socket.to_string_lossy().into_owned()),
            image: shared.engine.image.clone(),
            milli_cpus: 2_000,
            as_root: false,
        })
        .await
        .unwrap();
        let socket = shared.engine.socket.to_string_lossy();
        let client = bollard::Docker::connect_with_unix(&socket, 60, bollard::API_DEFAULT_VERSION)
            .unwrap()
            .negotiate_version()
            .await
            .unwrap();
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let workspace = folder.path().canonicalize().unwrap();
        let mut rows = [
            Row::new("process, standard library"),
            Row::new("process, tau"),
            Row::new("bubblewrap, tau"),
            Row::new("container, engine alone"),
            Row::new("container, tau"),
        ];
        for round in 0..ROUNDS + WARM_UP {
            rows[0].add(round, plain());
            rows[1].add(round, confined(&Bare, &workspace).await);
            rows[2].add(round, confined(&bubblewrap, &workspace).await);
        }
        // Apart: an engine cleans up after a container when whoever asked for it has gone on.
        for round in 0..ROUNDS + WARM_UP {
            rows[3].add(round, container(&client, &shared.engine.image).await);
            rows[4].add(round, confined(&docker, &workspace).await);
        }
        rows
    }

    /// As the standard library does it.
    fn plain() -> [Duration; 2] {
        let begun = Instant::now();
        let mut child = Command::new("/bin/sh").args(["-c", ":"]).spawn().unwrap();
        let start = begun.elapsed();
        assert!(child.wait().unwrap().success());
        [start, begun.elapsed()]
    }

    async fn confined<S: Sandbox>(sandbox: &S, workspace: &Path) -> [Duration; 2] {
        let (_reader, writer) = io::pipe().unwrap();
        let job = Job {
            program: ["/bin/sh", "-c", ":"].map(Into::into).into(),
            confinement: Confinement {
                workspace: workspace.to_owned(),
                read_only: Vec::new(),
                hidden: Vec::new(),
                readable: readable(),
                environment: Vec::new(),
                limits: Limits::default(),
            },
            input: Input::Null,
            errors: Output::Pipe(writer.try_clone().unwrap()),
            output: Output::Pipe(writer),
        };
        let begun = Instant::now();
        let mut running = sandbox.start(job).await.unwrap();
        let start = begun.elapsed();
        assert_eq!(running.wait().await.unwrap().code(), 0);
        running.end().await;
        [start, begun.elapsed()]
    }

    /// As an engine makes one that is asked for nothing, but for what the image of the tests has that
    /// others have not, and for its network, which the engine of the tests has not.
    async fn container(client: &bollard::Docker, image: &str) -> [Duration; 2] {
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(Vec::new()),
            cmd: Some(["/bin/sh", "-c", ":"].map(Into::into).into()),
            healthcheck: Some(HealthConfig {
                test: Some(vec!["NONE".into()]),
                ..Default::default()
            }),
            host_config: Some(HostConfig {
                network_mode: Some("none".into()),
                tmpfs: Some([(DATA.to_owned(), String::new())].into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let begun = Instant::now();
        let options = CreateContainerOptionsBuilder::new().build();
        let made = client.create_container(Some(options), body).await.unwrap();
        client.start_container(&made.id, None).await.unwrap();
        let start = begun.elapsed();
        let ended = client.wait_container(&made.id, None).boxed().next().await;
        assert_eq!(ended.unwrap().unwrap().status_code, 0);
        let options = RemoveContainerOptionsBuilder::new().v(true).build();
        client
            .remove_container(&made.id, Some(options))
            .await
            .unwrap();
        [start, begun.elapsed()]
    }

    /// The time that `share` of them stay below, in milliseconds.
    fn quantile(times: &[Duration], share: f64) -> f64 {
        let mut times = times.to_vec();
        times.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index between nought and the length"
        )]
        let index = ((times.len() - 1) as f64 * share).round() as usize;
        times[index].as_secs_f64() * 1_000.0
    }

    fn print_table(rows: &[Row]) {
        println!("{ROUNDS} rounds, ms              start p50   call p50   call p95");
        for row in rows {
            println!(
                "{:<26} {:>10.1} {:>10.1} {:>10.1}",
                row.name,
                quantile(&row.starts, 0.5),
                quantile(&row.calls, 0.5),
                quantile(&row.calls, 0.95),
            );
        }
    }

    fn print_json(rows: &[Row]) {
        let rows: Vec<String> = rows
            .iter()
            .map(|row| {
                format!(
                    "\"{}\":{{\"start_ms_p50\":{:.2},\"call_ms_p50\":{:.2},\"call_ms_p95\":{:.2}}}",
                    row.name,
                    quantile(&row.starts, 0.5),
                    quantile(&row.calls, 0.5),
                    quantile(&row.calls, 0.95),
                )
            })
            .collect();
        println!("{{\"rounds\":{ROUNDS},{}}}", rows.join(","));
    }
}
