//! Tau in a web page: the agent, its host, and the page.
