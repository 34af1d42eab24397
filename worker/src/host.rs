//! The home of one session: which adapters Tau runs on here.

use tau_core::{
    ids::{EffectId, UnixMillis},
    json::{self, Map, ToJson, Value, object_of},
    policy::rates::RateLimits,
    session::{Batch, Range, StoreError},
    tool::{ToolOutput, ToolRun, ToolSpec, http},
};
use tau_platform::{Counter, Host, HostTools, HttpTool, Paced, Storage};
use tau_target_durable::{Alarm, AlarmClock, DurableStorage};
use tau_target_web::{FetchEgress, FetchHttp, WebClock};
use worker::{Response, Stub};

use crate::{
    ai::WorkersAi,
    config::{API_KEY, Settings},
    directory::COUNT,
    errors::ApiError,
    wire::{call, object},
};

/// Everything a session of this home can do.
pub(crate) struct WorkerHost {
    clock: AlarmClock<WebClock>,
    http: FetchHttp,
    storage: SessionStorage,
    tools: Paced<WorkerTools, WebClock, DirectoryCounter>,
    model: WorkersAi,
}

impl WorkerHost {
    pub(crate) fn new(
        settings: &Settings,
        alarm: Alarm,
        storage: SessionStorage,
    ) -> Result<Self, ApiError> {
        let secrets = settings.clone();
        // The provider's key alone: nothing else that is bound can be named in a request.
        let http = FetchHttp::new(move |name| (name == API_KEY).then(|| secrets.text(name))?);
        Ok(Self {
            clock: AlarmClock::new(WebClock, alarm),
            http,
            tools: Paced::new(
                WorkerTools {
                    http: HttpTool::new(FetchEgress::default(), WebClock, Vec::new()),
                },
                WebClock,
                DirectoryCounter(storage.directory.clone()),
            ),
            storage,
            model: WorkersAi::new(settings.clone()),
        })
    }
}

impl Host for WorkerHost {
    type Clock = AlarmClock<WebClock>;
    type Http = FetchHttp;
    type Storage = SessionStorage;
    type Tools = Paced<WorkerTools, WebClock, DirectoryCounter>;
    type Model = WorkersAi;

    fn clock(&self) -> &Self::Clock {
        &self.clock
    }

    fn http(&self) -> &FetchHttp {
        &self.http
    }

    fn storage(&self) -> &SessionStorage {
        &self.storage
    }

    fn tools(&self) -> &Self::Tools {
        &self.tools
    }

    fn model(&self) -> &WorkersAi {
        &self.model
    }
}

/// The session's own store, with the principal's memory beside it.
///
/// Keys below `memory/` live in the principal's directory, so that all their sessions see them.
/// They are written before the records that tell of them: an entry has the same key when it is
/// written again, so a session that is killed between the two repeats nothing.
pub(crate) struct SessionStorage {
    own: DurableStorage,
    directory: Directory,
}

/// The directory of a principal, as their sessions ask it.
#[derive(Clone)]
struct Directory {
    settings: Settings,
    principal: String,
}

impl SessionStorage {
    pub(crate) fn new(own: DurableStorage, settings: Settings, principal: String) -> Self {
        Self {
            own,
            directory: Directory {
                settings,
                principal,
            },
        }
    }
}

impl Directory {
    async fn ask(&self, path: &str, body: &dyn ToJson) -> Result<Response, StoreError> {
        let directory =
            || -> Result<Stub, ApiError> { object(&self.settings.directories()?, &self.principal) };
        let failed = |detail: String| StoreError::Io {
            detail: format!("the directory cannot be reached: {detail}"),
        };
        let response = match directory() {
            Ok(directory) => call(&directory, path, &json::to_vec(body)).await,
            Err(error) => Err(error),
        };
        let mut response = response.map_err(|error| failed(error.message().into()))?;
        if response.status_code() == 200 {
            return Ok(response);
        }
        Err(failed(response.text().await.unwrap_or_default()))
    }
}

fn is_memory(key: &str) -> bool {
    key.starts_with("memory/")
}

fn unreadable(error: json::Error) -> StoreError {
    StoreError::Corrupt {
        detail: format!("memory is not JSON: {error}"),
    }
}

impl Storage for SessionStorage {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        if !is_memory(&key) {
            return self.own.get(key).await;
        }
        let range = Range {
            end: format!("{key}\0"),
            start: key,
            limit: 1,
        };
        let rows = self.scan(range).await?;
        Ok(rows.into_iter().next().map(|(_, value)| value))
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        if !is_memory(&range.start) {
            return self.own.scan(range).await;
        }
        let asked = object_of([
            ("start", range.start.into()),
            ("end", range.end.into()),
            ("limit", range.limit.into()),
        ]);
        let mut response = self.directory.ask("/memory/read", &asked).await?;
        let body = response.bytes().await.map_err(|error| StoreError::Io {
            detail: error.to_string(),
        })?;
        match json::from_slice(&body).map_err(unreadable)? {
            // Keys are in byte order, in an object as in the store.
            Value::Object(rows) => Ok(rows
                .into_iter()
                .map(|(key, value)| (key, json::to_vec(&value)))
                .collect()),
            _ => Ok(Vec::new()),
        }
    }

    async fn commit(&self, mut batch: Batch) -> Result<(), StoreError> {
        let mut put = Map::new();
        for (key, value) in batch.put.extract_if(.., |(key, _)| is_memory(key)) {
            put.insert(key, json::from_slice(&value).map_err(unreadable)?);
        }
        let delete: Vec<String> = batch.delete.extract_if(.., |key| is_memory(key)).collect();
        if !put.is_empty() || !delete.is_empty() {
            let change = object_of([("put", put.into()), ("delete", delete.into())]);
            self.directory.ask("/memory/write", &change).await?;
        }
        self.own.commit(batch).await
    }
}

/// Calls counted in the principal's directory, with those of all their sessions.
pub(crate) struct DirectoryCounter(Directory);

impl Counter for DirectoryCounter {
    async fn count(&self, limits: &RateLimits) -> Result<Option<UnixMillis>, StoreError> {
        let mut response = self.0.ask(COUNT, limits).await?;
        let body = response.bytes().await.map_err(|error| StoreError::Io {
            detail: error.to_string(),
        })?;
        json::from_slice(&body).map_err(|error| StoreError::Corrupt {
            detail: format!("the count of calls is not JSON: {error}"),
        })
    }
}

/// A Worker has neither files nor programs: it reads the web. Memory is the core's.
pub(crate) struct WorkerTools {
    http: HttpTool<FetchEgress, WebClock>,
}

impl HostTools for WorkerTools {
    fn specs(&self) -> Vec<ToolSpec> {
        vec![http::spec()]
    }

    async fn run(&self, _id: EffectId, run: ToolRun) -> ToolOutput {
        if run.name == http::NAME {
            self.http.run(run).await
        } else {
            ToolOutput::error(format!("this home has no tool {}", run.name))
        }
    }
}
