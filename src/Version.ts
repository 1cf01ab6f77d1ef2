/** The version of this package, sent as `lib_version` with every record. A test holds it against `package.json`. */
export const version = "0.1.0"
