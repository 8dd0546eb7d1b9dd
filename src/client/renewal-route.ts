// To which address a renewal goes: the one that answered last, or the leader that it named; another when that one is silent
// or fails. A leader that cannot be reached from here, whatever the nodes call it, is named again by every answer of the
// others, so who failed is not believed in on somebody else's word until it has answered by itself.

export interface RenewalRoute {
  readonly endpoints: readonly string[]
  readonly followLeader: boolean
  preferred: string
  /** A leader that was named and is none of the endpoints. */
  learned: string | null
  /** Failed, and has answered nothing since. */
  readonly distrusted: Set<string>
}

export function createRoute(options: {
  readonly endpoints: readonly string[]
  readonly followLeader: boolean
}): RenewalRoute {
  const [first = ''] = options.endpoints
  return { ...options, preferred: first, learned: null, distrusted: new Set() }
}

/** Where to send to next; `avoid` has just failed or is silent. */
export function pickEndpoint(route: RenewalRoute, avoid: string | null): string {
  return route.preferred === avoid ? after(route, avoid) : route.preferred
}

export function endpointAnswered(route: RenewalRoute, answered: { endpoint: string; leader: string | null }): void {
  const { endpoint, leader } = answered
  route.distrusted.delete(endpoint)
  route.preferred = endpoint
  if (!route.followLeader || leader === null || leader === endpoint || route.distrusted.has(leader)) return
  if (!isOrigin(leader)) return
  if (!route.endpoints.includes(leader)) {
    if (route.learned !== null) route.distrusted.delete(route.learned)
    route.learned = leader
  }
  route.preferred = leader
}

export function endpointFailed(route: RenewalRoute, endpoint: string): void {
  route.distrusted.add(endpoint)
  if (route.preferred === endpoint) route.preferred = after(route, endpoint)
}

/** Whatever a node, or who answers in its place, calls a leader: it is gone to only if it is `http://host:port` and no more. */
function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text
}

/** The next one in turn that did not fail, or just the next one. */
function after(route: RenewalRoute, endpoint: string): string {
  const all = route.learned === null ? route.endpoints : [...route.endpoints, route.learned]
  const at = all.indexOf(endpoint)
  const others = [...all.slice(at + 1), ...all.slice(0, Math.max(at, 0))]
  return others.find((other) => !route.distrusted.has(other)) ?? others[0] ?? endpoint
}
