// `holdfast/testing`: what tests of programs that use Holdfast may import.
export { TestCluster } from './test-cluster.ts'
export type { Failover, Partition, Paused, TestClientOptions, TestClusterOptions } from './test-cluster.ts'
