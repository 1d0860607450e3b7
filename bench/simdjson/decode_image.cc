// Reads the image of a prediction request with simdjson's on-demand reader, as a C++
// server would, for the benchmark of our own reader. For each line of its input, a
// number of rounds, it reads the file so many times and prints the nanoseconds.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <vector>

#include <simdjson.h>

using namespace simdjson;

// Appends the numbers of nested lists to out.
static void read_list(ondemand::array list, std::vector<float> &out) {
  for (ondemand::value element : list) {
    if (element.type() == ondemand::json_type::array) {
      read_list(element.get_array(), out);
    } else {
      out.push_back(static_cast<float>(double(element.get_double())));
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    return 2;
  }
  padded_string json = padded_string::load(argv[1]);
  ondemand::parser parser;
  std::vector<float> out;
  for (long rounds; std::cin >> rounds;) {
    auto began = std::chrono::steady_clock::now();
    for (long i = 0; i < rounds; i++) {
      out.clear();
      ondemand::document document = parser.iterate(json);
      read_list(document["instances"].get_array(), out);
    }
    std::chrono::nanoseconds took = std::chrono::steady_clock::now() - began;
    std::printf("%lld %zu\n", static_cast<long long>(took.count()), out.size());
    std::fflush(stdout);
  }
  return 0;
}
