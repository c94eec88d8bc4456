#include "cli/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace chorus::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<CsvRow> rows_of(const std::string& text, char separator = ',') {
  CsvReader reader(text, separator);
  std::vector<CsvRow> rows;
  while (true) {
    auto row = reader.next();
    EXPECT_TRUE(row) << row.assume_error().message;
    if (!row || !row.assume_value()) return rows;
    rows.push_back(*row.assume_value());
  }
}

std::string csv_error(const std::string& text) {
  CsvReader reader(text, ',');
  while (true) {
    auto row = reader.next();
    if (!row) return row.assume_error().message;
    if (!row.assume_value()) return "";
  }
}

TEST(Csv, ReadsWhatSpreadsheetsWrite) {
  EXPECT_THAT(rows_of("a,b\n1,2\n"), ElementsAre(CsvRow{"a", "b"}, CsvRow{"1", "2"}));
  EXPECT_THAT(rows_of("a,b\r\n1,2"), ElementsAre(CsvRow{"a", "b"}, CsvRow{"1", "2"}));
  EXPECT_THAT(rows_of("a,b\r1,2\r"), ElementsAre(CsvRow{"a", "b"}, CsvRow{"1", "2"}));
  EXPECT_THAT(rows_of("\"x, \"\"y\"\"\",\"line\nend\"\n"),
              ElementsAre(CsvRow{"x, \"y\"", "line\nend"}));
  EXPECT_THAT(rows_of(" a , b\n"), ElementsAre(CsvRow{" a ", " b"})) << "white space is kept";
  EXPECT_THAT(rows_of(",\n\n,,\n\"\"\n"),
              ElementsAre(CsvRow{"", ""}, CsvRow{"", "", ""}, CsvRow{""}));
  EXPECT_THAT(rows_of("it's 5\" long,x\n"), ElementsAre(CsvRow{"it's 5\" long", "x"}));
  EXPECT_THAT(rows_of("a,b\tc\n", '\t'), ElementsAre(CsvRow{"a,b", "c"}));
  EXPECT_TRUE(rows_of("").empty());
}

TEST(Csv, NamesTheLineOfWhatIsWrong) {
  EXPECT_THAT(csv_error("a\n\"b\nc"), HasSubstr("line 2: a quotation mark is not closed"));
  EXPECT_THAT(csv_error("a,b\n\"x\ny\" z,1\n"), HasSubstr("line 3: expected a separator behind"));
}

TEST(Csv, WhatIsWrittenIsReadAsItWas) {
  const std::vector<CsvRow> rows = {
      {"a", "b,c", "\"", "x\ny", "\r", " "}, {""}, {"", ""}, {"ü", "\t"}};
  for (char separator : {',', '\t', ';'}) {
    std::string text;
    for (const CsvRow& row : rows) append_csv_row(text, row, separator);
    EXPECT_EQ(rows_of(text, separator), rows) << text;
  }
}

TEST(Csv, AByteOrderMarkInFrontOfARowIsNoPartOfIt) {
  const std::string mark = "\xEF\xBB\xBF";
  EXPECT_THAT(rows_of(mark + mark + "a,b\n" + mark + "\"c,d\"," + mark + "e\n"),
              ElementsAre(CsvRow{"a", "b"}, CsvRow{"c,d", mark + "e"}));
  EXPECT_THAT(rows_of(mark + "\n" + mark + "\r\na\n" + mark), ElementsAre(CsvRow{"a"}));
}

TEST(Csv, KnowsWhatStoodBetweenQuotationMarks) {
  CsvReader reader("NA,\"NA\"\n\"\",\n", ',');
  ASSERT_TRUE(reader.next().assume_value());
  EXPECT_FALSE(reader.is_quoted(0));
  EXPECT_TRUE(reader.is_quoted(1));
  ASSERT_TRUE(reader.next().assume_value());
  EXPECT_TRUE(reader.is_quoted(0));
  EXPECT_FALSE(reader.is_quoted(1));
}

TEST(Csv, KnowsTheLineOfARow) {
  CsvReader reader("a\n\n\"x\r\ny\"\nz", ',');
  for (std::size_t line : {1u, 3u, 5u}) {
    ASSERT_TRUE(reader.next().assume_value());
    EXPECT_EQ(reader.line(), line);
  }
}

}  // namespace
}  // namespace chorus::cli
