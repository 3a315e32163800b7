/** How long the stores keep what has no end of its own, and how far they trust the clocks that ends are told by. */

/** How long a flow is still found after it expired, in milliseconds, so that its browser can be sent to a fresh one. */
export const flowRetentionMs = 3_600_000

/**
 * How far clocks of gateways may be apart, in milliseconds, without anybody noticing (security X15). No session counts as
 * used later than that from now.
 */
export const clockToleranceMs = 120_000

/** How long a stored error is found, in milliseconds: its page fetches it at once, and anybody can make errors (security D11). */
export const errorRetentionMs = 3_600_000
