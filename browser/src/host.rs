//! What the page's home is made of.

use std::{cell::RefCell, fmt, rc::Rc};
use tau_platform::{Host, Paced, StoredCounter, memory::Service};
use tau_target_indexeddb::IdbStorage;
use tau_target_web::{FetchHttp, WebClock};

use crate::{
    browser::Browser, keys::PageSigner, model::EmbeddedModel, settings::Key, tools::PageTools,
};

/// Whose calls are counted together: those of the person whose page it is.
const PRINCIPAL: &str = "page";

/// Entries that are kept: what is searched lies in the worker's memory.
const ENTRY_LIMIT: u64 = 50_000;

/// The page's memory.
type Memory = Service<IdbStorage, EmbeddedModel, WebClock>;

/// The page's tools, whose calls are counted over all conversations and tabs.
type Counted = Paced<PageTools, WebClock, StoredCounter<IdbStorage, WebClock>>;

/// Everything a session of this home can do.
pub(crate) struct PageHost {
    clock: WebClock,
    http: FetchHttp,
    storage: IdbStorage,
    tools: Counted,
    model: EmbeddedModel,
    memory: Memory,
    signer: Option<PageSigner>,
}

impl fmt::Debug for PageHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageHost").finish_non_exhaustive()
    }
}

impl PageHost {
    /// `key` is looked at each time a request is sent; `signer` signs for the agent.
    pub(crate) fn new(
        browser: &Rc<Browser>,
        storage: IdbStorage,
        key: &Rc<RefCell<Key>>,
        offers_page: bool,
        signer: Option<PageSigner>,
    ) -> Self {
        let key = Rc::clone(key);
        let model = EmbeddedModel::new(browser);
        Self {
            clock: WebClock,
            http: FetchHttp::new(move |name| key.borrow().of(name)),
            tools: Paced::new(
                PageTools::new(browser, offers_page),
                WebClock,
                StoredCounter::new(storage.clone(), WebClock, PRINCIPAL),
            ),
            memory: Service::new(storage.clone(), model.clone(), WebClock)
                .with_entry_limit(ENTRY_LIMIT),
            storage,
            model,
            signer,
        }
    }
}

impl Host for PageHost {
    type Clock = WebClock;
    type Http = FetchHttp;
    type Storage = IdbStorage;
    type Tools = Counted;
    type Model = EmbeddedModel;
    type Memory = Memory;
    type Signer = PageSigner;

    fn clock(&self) -> &WebClock {
        &self.clock
    }

    fn http(&self) -> &FetchHttp {
        &self.http
    }

    fn storage(&self) -> &IdbStorage {
        &self.storage
    }

    fn tools(&self) -> &Counted {
        &self.tools
    }

    fn model(&self) -> &EmbeddedModel {
        &self.model
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn signer(&self) -> Option<&PageSigner> {
        self.signer.as_ref()
    }
}
