/** What a round cost at the store. Prices are those of a list, to be replaced by one's own; the report names them. */

/** Prices, US dollars. */
export interface StorePrices {
  /** Of a thousand GETs or HEADs. */
  readonly thousandGets: number;
  /** Of a gigabyte (10^9 bytes) that leaves the store; 0 within a region. */
  readonly gigabyteOut: number;
}

/** S3 Standard in us-east-1, read within the region. */
export const LIST_PRICES: StorePrices = { thousandGets: 0.0004, gigabyteOut: 0 };

/** What requests and bytes cost, US dollars. */
export function storeCostUsd(requests: number, bytes: number, prices: StorePrices = LIST_PRICES): number {
  return (requests / 1000) * prices.thousandGets + (bytes / 1e9) * prices.gigabyteOut;
}
