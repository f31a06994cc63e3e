"""Whatever yields Signals inside this process: the local engine and third-party back ends."""
