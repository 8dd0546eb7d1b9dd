// Where the cluster is, for all examples.
export const endpoints = (process.env.HOLDFAST_ENDPOINTS ?? 'http://127.0.0.1:7101,http://127.0.0.1:7102').split(',')
