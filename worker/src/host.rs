//! The home of one session: which adapters Tau runs on here.

use tau_core::{
    ids::{EffectId, UnixMillis},
    json::{self, ToJson},
    memory,
    policy::rates::RateLimits,
    session::StoreError,
    tool::{ToolOutput, ToolRun, ToolSpec, http},
};
use tau_platform::{Counter, Host, HostTools, HttpTool, MemoryTools, Paced, TreeSigner};
use tau_target_durable::{Alarm, AlarmClock, DurableStorage};
use tau_target_web::{FetchEgress, FetchHttp, WebClock};
use worker::{Response, Stub};

use crate::{
    ai::WorkersAi,
    config::{API_KEY, Settings},
    directory::{COUNT, REMEMBER, Served},
    errors::ApiError,
    wire::{call, object},
};

/// Everything a session of this home can do.
pub(crate) struct WorkerHost {
    clock: AlarmClock<WebClock>,
    http: FetchHttp,
    storage: DurableStorage,
    tools: Paced<WorkerTools, WebClock, DirectoryCounter>,
    model: WorkersAi,
    memory: DirectoryMemory,
    signer: Option<TreeSigner>,
}

impl WorkerHost {
    pub(crate) fn new(
        settings: &Settings,
        principal: &str,
        alarm: Alarm,
        storage: DurableStorage,
    ) -> Result<Self, ApiError> {
        let directory = Directory {
            settings: settings.clone(),
            principal: principal.into(),
        };
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
                DirectoryCounter(directory.clone()),
            ),
            memory: DirectoryMemory(directory),
            storage,
            model: WorkersAi::new(settings.clone()),
            signer: None,
        })
    }

    /// The same with somebody who signs.
    pub(crate) fn signed_by(self, signer: TreeSigner) -> Self {
        Self {
            signer: Some(signer),
            ..self
        }
    }
}

impl Host for WorkerHost {
    type Clock = AlarmClock<WebClock>;
    type Http = FetchHttp;
    type Storage = DurableStorage;
    type Tools = Paced<WorkerTools, WebClock, DirectoryCounter>;
    type Model = WorkersAi;
    type Memory = DirectoryMemory;
    type Signer = TreeSigner;

    fn clock(&self) -> &Self::Clock {
        &self.clock
    }

    fn http(&self) -> &FetchHttp {
        &self.http
    }

    fn storage(&self) -> &DurableStorage {
        &self.storage
    }

    fn tools(&self) -> &Self::Tools {
        &self.tools
    }

    fn model(&self) -> &WorkersAi {
        &self.model
    }

    fn memory(&self) -> &DirectoryMemory {
        &self.memory
    }

    fn signer(&self) -> Option<&TreeSigner> {
        self.signer.as_ref()
    }
}

/// The directory of a principal, as their sessions ask it.
#[derive(Clone)]
struct Directory {
    settings: Settings,
    principal: String,
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

/// What the principal's directory remembers for all their sessions.
pub(crate) struct DirectoryMemory(Directory);

impl MemoryTools for DirectoryMemory {
    async fn serve(&self, request: memory::Request) -> Result<memory::Reply, memory::Failure> {
        let mut response = self.0.ask(REMEMBER, &request).await?;
        let body = response.bytes().await.map_err(|error| StoreError::Io {
            detail: error.to_string(),
        })?;
        let served: Served = json::from_slice(&body).map_err(|error| StoreError::Corrupt {
            detail: format!("what the directory remembers is not JSON: {error}"),
        })?;
        served.result()
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

/// A Worker has neither files nor programs: it reads the web. Memory is the directory's.
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
