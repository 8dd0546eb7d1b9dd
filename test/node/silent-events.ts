// Events of a core about which a test asks nothing: whatever is not replaced does nothing.
import type { CoreEvents } from '../../src/node/core.ts'

export const silentEvents: CoreEvents = {
  send: () => {},
  apply: () => {},
  readReady: () => {},
  readRefused: () => {},
  transferRefused: () => {},
  roleChanged: () => {},
  sendSnapshot: () => {},
  installSnapshot: () => {},
  ignoreSnapshot: () => {},
  storeCounted: () => {},
  replacementRefused: () => {},
  wake: () => {},
}
