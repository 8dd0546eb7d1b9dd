// What members of a founded cluster of three say of themselves.
import { protocolVersion } from '../../src/codec/introduction.ts'
import type { Introduction } from '../../src/codec/introduction.ts'
import { asClusterId, asIncarnation, asIndex, asRun, asTerm } from '../../src/ids.ts'
import type { Incarnation, NodeId } from '../../src/ids.ts'

export function introduce(node: NodeId, { run = 1, incarnation = 'i' } = {}): Introduction {
  const [clusterId, record] = [asClusterId('c'.repeat(32)), null]
  const founding = { members: 'n1,n2,n3', limits: {}, backup: null, clusterId, founded: true, record }
  return {
    version: protocolVersion,
    node,
    incarnation: diskNamed(incarnation),
    run: asRun(run),
    httpUrl: `http://${node}`,
    disk: { term: asTerm(0), lastIndex: asIndex(0) },
    founding,
  }
}

/** As long as a name of a disk is. */
function diskNamed(name: string): Incarnation {
  return asIncarnation(Buffer.from(name).toString('hex').padEnd(32, '0'))
}
