//! Lists: broken, cut off, page by page, streamed.
