fn main() {
    println!("slotscope {}", env!("CARGO_PKG_VERSION"));
}
