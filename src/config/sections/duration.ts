/** How the configuration spells durations. */

/** Go's way: `720h`, `10m`, `1m30s`, `1.5s`. */
export const duration = {
  type: 'string',
  pattern: '^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$',
} as const
