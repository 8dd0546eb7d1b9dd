// `holdfast/testing`: what tests of programs that use Holdfast may import.
export { TestCluster } from './test-cluster.ts'
export type { TestClusterOptions } from './test-cluster.ts'
