// Views of the lock table in the form in which they are shown: metadata, which is carried as JSON text, as an object.
import type { HolderView } from '../lockfsm/outcome.ts'

type Shown = Readonly<Record<string, unknown>> | null

/** `text` was made by `metadataText`, on this node or another. */
export function shownMetadata(text: string | null): Shown {
  return text === null ? null : JSON.parse(text)
}

export function shownHolders(holders: readonly HolderView[]) {
  return holders.map((holder) => ({ ...holder, metadata: shownMetadata(holder.metadata) }))
}
