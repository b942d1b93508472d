"""Every sentence that people read, in Vietnamese and English. Code elsewhere names sentences, it
does not write them.

`FAULTS`: what a user can mend, with what was found, what was expected and how to mend it. `LINES`:
the run's log.
`WORDS`: names of statuses, classes and flags, the same on the map, in tables for people and in the
report.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from pipeline.schema.errors import Fault

Lang = Literal["vi", "en"]

FAULTS: Mapping[str, tuple[str, str]] = {
    "missing_file": ("không có tệp này; kiểm tra lại đường dẫn", "no such file; check the path"),
    "empty_glob": ("không tệp nào khớp mẫu này; kiểm tra lại đường dẫn", "no file matches this pattern; check the path"),
    "empty_folder": ("thư mục không có tệp đo nào ({expected}); chép tệp vào hoặc sửa đường dẫn", "the folder holds no measurement file ({expected}); put one in or mend the path"),
    "empty_file": ("tệp rỗng; cần một dòng tiêu đề và dữ liệu – xuất lại tệp", "the file is empty; a heading row and data were expected – export it again"),
    "unknown_suffix": ("loại tệp {found} chưa đọc được; cần một trong: {expected}", "cannot read files of type {found}; expected one of: {expected}"),
    "unreadable_file": ("không đọc được ({found}); cần {expected} – mở thử và xuất lại tệp", "cannot be read ({found}); expected {expected} – open it and export it again"),
    "bad_encoding": ("không đọc được bằng bảng mã {found}; đặt `encoding` cho nguồn này", "cannot be decoded as {found}; set `encoding` for this source"),
    "repeated_heading": ("tiêu đề lặp lại: {found}; mỗi cột cần một tên riêng", "repeated headings: {found}; every column needs a name of its own"),
    "missing_column": ("không có cột này (cho {ours}); tệp có: {found}", "no such column (for {ours}); the file has: {found}"),
    "unmapped_column": ("không tìm thấy cột nào cho mục bắt buộc này; tệp có: {found}. Khai báo trong [sources.TÊN.columns]; `lomsong check` in sẵn các dòng cần dán",
                        "no column was found for this required field; the file has: {found}. Name it under [sources.NAME.columns]; `lomsong check` prints the lines to paste"),
    "unknown_our_column": ("không phải tên cột của lomsong; cần một trong: {expected}", "not one of lomsong's columns; expected one of: {expected}"),
    "unknown_unit": ("đơn vị {found} không biết; cần một trong: {expected}", "unknown unit {found}; expected one of: {expected}"),
    "ambiguous_unit": ("đơn vị {found} có thể là bit hoặc byte (b = bit, B = byte); đặt `unit` cho cột này, một trong: {expected}", "unit {found} may be bits or bytes (b = bit, B = byte); set `unit` for this column to one of: {expected}"),
    "no_quarter": ("không có cột `quarter` và tên tệp không ghi quý; cần ví dụ 2024-07-01_performance_mobile_tiles.parquet", "no `quarter` column and no quarter in the file's name; expected e.g. 2024-07-01_performance_mobile_tiles.parquet"),
    "bad_period": ("kỳ «{found}» không đúng; cần YYYY-MM (2026-10) hoặc YYYYQn (2024Q3)", "period “{found}” is not understood; expected YYYY-MM (2026-10) or YYYYQn (2024Q3)"),
    "bad_part": ("không xuất được «{found}»; phiên bản này xuất: {expected}", "cannot publish “{found}”; this version publishes: {expected}"),
    "settings_encoding": ("tệp cài đặt phải ở UTF-8 ({found})", "the settings must be UTF-8 ({found})"),
    "settings_syntax": ("không đúng cú pháp TOML: {found}", "not valid TOML: {found}"),
    "settings_key": ("không có mục này{near}; các mục: {known}", "no such setting{near}; known here: {known}"),
    "settings_value": ("giá trị {found} không hợp lệ: {expected}", "value {found} is not valid: {expected}"),
    "no_settings": ("chưa khai báo {expected}; ghi vào tệp cài đặt hoặc dùng tuỳ chọn {option}", "{expected} is not given; name it in the settings or with {option}"),
    "no_crs": ("tệp không ghi hệ toạ độ; đặt `crs` trong [boundaries] (VN-2000 Lai Châu: EPSG:9205) – hệ toạ độ không bao giờ được đoán", "the file states no CRS; set `crs` under [boundaries] (VN-2000 Lai Châu: EPSG:9205) – a CRS is never guessed"),
    "bad_crs": ("hệ toạ độ {found} không hợp lệ; cần ví dụ EPSG:4326", "CRS {found} is not valid; expected e.g. EPSG:4326"),
    "commune_count": ("có {found} xã, cài đặt yêu cầu {expected}; kiểm tra tệp hoặc `expected_count`", "{found} communes, the settings expect {expected}; check the file or `expected_count`"),
    "no_usual_column": ("không thấy cột mang tên thường gặp ({expected}); tệp có: {found}. Đặt mục này trong [boundaries]", "no column under a usual name ({expected}); the file has: {found}. Set it under [boundaries]"),
    "blank_code": ("mã xã để trống; mỗi xã cần một mã", "the commune code is blank; every commune needs one"),
    "repeated_code": ("mã {found} lặp lại; mỗi mã chỉ được một dòng – gộp các phần hoặc sửa mã", "code {found} is repeated; one row per code – merge the parts or mend the code"),
    "no_polygon": ("xã {found} không có vùng (polygon); kiểm tra hình học", "commune {found} has no polygon; check its geometry"),
    "bad_population": ("số {found} không hợp lệ; cần số không âm", "figure {found} is not valid; expected a number that is not negative"),
    "raster_elsewhere": ("ảnh dân số ({found}) không phủ khu vực ({expected}); kiểm tra tệp", "the raster ({found}) does not cover the area ({expected}); check the file"),
    "no_code_met": ("không mã nào khớp với ranh giới: có {found}, cần như {expected}", "no code meets the boundaries: found {found}, expected such as {expected}"),
    "unknown_province": ("không có tỉnh «{found}»; cần một trong: {expected}", "no province “{found}”; expected one of: {expected}"),
    "read_twice": ("tệp này (hoặc bản sao) được đọc bởi hai nguồn: {found}; chỉ khai báo ở một nguồn", "this file (or a copy of it) is read by two sources: {found}; name it in one of them only"),
    "bad_engine": ("không có bộ máy «{found}» trong phiên bản này; có: {expected}", "this version has no engine “{found}”; it has: {expected}"),
    "no_dask": ("bộ máy «dask» cần phần cài thêm: pip install \"lomsong[dask]\"", "the engine “dask” needs an extra: pip install \"lomsong[dask]\""),
    "no_scheduler": ("không kết nối được bộ điều phối Dask tại «{found}»; kiểm tra địa chỉ (tcp://MÁY:8786) và tường lửa, hoặc bỏ --scheduler để chạy trên máy này", "no Dask scheduler answers at “{found}”; check the address (tcp://HOST:8786) and the firewall, or leave --scheduler out to run on this machine"),
    "scheduler_alone": ("--scheduler {found} chỉ dùng cùng --engine dask", "--scheduler {found} goes with --engine dask only"),
    "mixed_sources": ("không trộn phép đo và ô Ookla trong một lần chạy; chạy riêng từng nguồn: {found}", "tests and Ookla tiles cannot be mixed in one run; run each by itself: {found}"),
    "not_a_quarter": ("ô Ookla tính theo quý; cần kỳ YYYYQn, có {found}; trong dữ liệu: {expected}", "Ookla tiles come by quarter; expected a period YYYYQn, found {found}; in the data: {expected}"),
    "no_such_period": ("dữ liệu không có kỳ {found}; có: {expected}", "the data hold nothing of {found}; they hold: {expected}"),
    "no_time_at_all": ("không dòng nào có thời gian đọc được; đặt `format` cho measured_at, ví dụ { column = \"…\", format = \"%d/%m/%Y %H:%M\" }", "no row has a readable time; set `format` for measured_at, e.g. { column = \"…\", format = \"%d/%m/%Y %H:%M\" }"),
    "no_run": ("không có kết quả của một lần chạy ở đây; cần thư mục như outputs/2026-10 (có tables/ và manifest.json)", "holds no finished run; expected a folder such as outputs/2026-10 (with tables/ and manifest.json)"),
    "old_run": ("kết quả của phiên bản khác, thiếu: {found}; chạy lại kỳ đó bằng phiên bản này", "was made by another version and lacks: {found}; rebuild that period with this one"),
    "which_commune": ("xã «{found}» không rõ là xã nào; cần mã hoặc tên của một xã: {expected}", "“{found}” does not name one commune; expected the code or name of one: {expected}"),
    "unknown_operator_name": ("không có nhà mạng «{found}»; có: {expected}", "no operator “{found}”; there are: {expected}"),
    "bad_ledger": ("không phải sổ theo dõi lõm sóng hợp lệ ({found}); chạy lại kỳ đó, hoặc xoá thư mục của nó để lập sổ mới", "not a valid gap ledger ({found}); rebuild that period, or remove its folder to begin a new ledger"),
    "system": ("hệ thống từ chối ({found}); kiểm tra quyền truy cập, dung lượng đĩa và đường dẫn", "the system refuses ({found}); check permissions, disk space and the path"),
    "output_busy": ("một lần chạy khác đang ghi vào thư mục này; chờ nó xong rồi chạy lại", "another run is writing into this folder; wait until it is done and run again"),
    "output_held": ("không thay được thư mục kết quả ({found}); đóng tệp đang mở (Excel, QGIS) rồi chạy lại – kết quả cũ còn nguyên", "the output folder cannot be replaced ({found}); close the file that is open (Excel, QGIS) and run again – the former outputs are whole"),
    # warnings: said, and the run goes on
    "repaired_outline": ("đã sửa đường ranh giới tự cắt của các xã: {found}", "self-crossing outlines were repaired: {found}"),
    "overlap": ("hai xã chồng lên nhau: {found}; điểm ở phần chung thuộc về mã nhỏ hơn", "two communes overlap: {found}; points in the common part go to the smaller code"),
    "no_population": ("các xã chưa có số dân: {found}; xếp sau các xã khác", "communes without a population figure: {found}; they rank after the others"),
    "nobody_counted": ("không có số dân: ưu tiên xếp theo độ sâu × xác suất lõm", "no population given: priorities rank by depth × gap probability"),
    "months_missing": ("cửa sổ bằng chứng thiếu dữ liệu các tháng: {found}", "the evidence window lacks data of the months: {found}"),
    "many_duplicates": ("{found} % số dòng trong kỳ là trùng lặp; nếu mã phép đo được đánh lại mỗi tháng, bỏ cột test_id khỏi nguồn này", "{found} % of the window's rows are duplicates; if test ids restart every month, leave test_id out of this source"),
    "passed_over": ("bỏ qua các tệp không đọc được: {found} (chỉ đọc {expected})", "files of other types were passed over: {found} (read are {expected})"),
    "named_again": ("tệp được chỉ đến nhiều lần (qua nhiều đường dẫn hoặc liên kết), chỉ đọc một lần: {found}", "files that several paths or links lead to are read once: {found}"),
    "same_content": ("trùng nội dung với {found}: các dòng chỉ được tính một lần", "has the same content as {found}: its rows count once"),
    "unreadable_values": ("{found} giá trị không đọc được, để trống", "{found} values could not be read and were left empty"),
    "unknown_names": ("nhà mạng chưa khai báo trong [operators]: {found}; các dòng đó để riêng", "operators that [operators] does not list: {found}; their rows are set aside"),
    "unknown_technologies": ("công nghệ không hiểu được: {found}; khai báo trong [technologies]", "technologies that are not understood: {found}; name them under [technologies]"),
    "stray_months": ("các tháng có quá ít dòng nên không tự chọn làm kỳ báo cáo: {found}", "months with so few rows that they are not chosen as the report period: {found}"),
    "mostly_outside": ("{found} % số dòng trong kỳ nằm ngoài khu vực; kiểm tra vĩ độ/kinh độ có bị đổi chỗ hay không, và hệ toạ độ của ranh giới", "{found} % of the window's rows lie outside the area; check whether latitude and longitude are swapped, and the CRS of the boundaries"),
    "facilities_outside": ("{found} trong {count} cơ sở nằm ngoài mọi xã và không được đếm; kiểm tra hệ toạ độ của tệp", "{found} of {count} facilities lie outside every commune and are not counted; check the file's CRS"),
    "crowded": ("mật độ dân số khó tin (trên 50.000 người/km²): {found}; kiểm tra số dân và ranh giới", "population densities that are hard to believe (over 50,000 people/km²): {found}; check people and outlines"),
    "no_usable": ("không còn phép đo hợp lệ nào sau khi làm sạch: mọi xã là no_data", "no valid test is left after cleaning: every commune is no_data"),
    "target_dates": ("kỳ {found} nằm ngoài thời hạn của mục tiêu ({expected})", "period {found} lies outside the target's validity ({expected})"),
}  # fmt: skip

LINES: Mapping[str, tuple[str, str]] = {
    "boundaries": ("ranh giới: {count} xã, {area} km², vintage {vintage}", "boundaries: {count} communes, {area} km², vintage {vintage}"),
    "read": ("đọc {source}: {count} dòng từ {files} tệp", "read {source}: {count} rows from {files} files"),
    "period": ("kỳ {period}, cửa sổ bằng chứng {window}", "period {period}, evidence window {window}"),
    "clean": ("làm sạch {source}: {read} dòng = {valid} phép đo hợp lệ + {failed} phép đo hỏng + {rejects} để riêng", "clean {source}: {read} read = {valid} valid + {failed} failed + {rejects} set aside"),
    "locate": ("định vị: {valid} phép đo hợp lệ = {placed} trong {communes} xã", "locate: {valid} valid tests = {placed} in {communes} communes"),
    "tiles": ("chia ô: {read} ô = {used} dùng + {rejects} để riêng; đặt được {share} % số phép đo", "split tiles: {read} tiles = {used} used + {rejects} set aside; {share} % of their tests placed"),
    "samples": ("mẫu đại diện: {samples} mẫu của {devices} thiết bị", "samples: {samples} representative samples of {devices} devices"),
    "widened": ("nới cửa sổ lên {months} tháng cho {count} dòng xã × nhà mạng chưa đủ bằng chứng", "window widened to {months} months for {count} commune × operator rows that lack evidence"),
    "judge": ("kết luận xã × nhà mạng: {counts}", "judge commune × operator: {counts}"),
    "classes": ("kết luận xã: {counts}; đạt khắp nơi: từ {low} % đến {high} % số xã", "judge communes: {counts}; target met everywhere: between {low} % and {high} % of communes"),
    "hexes": ("ô lục giác: {cells} ô thích ứng, {weak} ô yếu", "hexes: {cells} adaptive cells, {weak} weak"),
    "gaps": ("vùng lõm: {count} vùng; sổ theo dõi: {states}", "gap areas: {count}; ledger: {states}"),
    "priorities": ("ưu tiên: {gaps} vùng lõm xã × nhà mạng; cần đo thêm: {measure}", "priorities: {gaps} commune × operator gaps; measure first: {measure}"),
    "licence_guard": ("không ghi tệp riêng cho từng nhà mạng: giấy phép dữ liệu cấm dùng thương mại ({licences}); đặt [publish] allow_noncommercial = true nếu được phép", "no operators' files are written: the data's licence forbids commercial use ({licences}); set [publish] allow_noncommercial = true if it is granted"),
    "revision": ("bản cập nhật lần {number} của kỳ này; khác bản trước về {causes}; {count} kết luận thay đổi (xem manifest.json)", "revision {number} of this period; differs from the one before in {causes}; {count} verdicts changed (see manifest.json)"),
    "dashboard": ("bảng theo dõi Dask: {address}", "Dask dashboard: {address}"),
    "guard": ("kiểm tra riêng tư: {files} tệp, không lộ vị trí, thiết bị, tốc độ nhóm nhỏ", "privacy check: {files} files, no position, device or small group's speed in them"),
    "done": ("xong sau {seconds} s", "done in {seconds} s"),
    "warning": ("lưu ý", "note"),
    "fault": ("lỗi", "fault"),
    "row": ("dòng", "row"),
    "column": ("cột", "column"),
    "faults_left": ("số lỗi cần sửa: {count}; kết quả trước đó còn nguyên", "faults to mend: {count}; the former outputs are untouched"),
    "check_ok": ("đầu vào và cài đặt dùng được", "inputs and settings can be used"),
    "headings": ("tiêu đề trong {file} và cách hiểu:", "headings of {file} and what they are taken for:"),
    "paste": ("dán vào tệp cài đặt (sửa lại nếu đoán sai):", "paste into the settings (mend the guesses):"),
    "not_used": ("(không dùng)", "(not used)"),
    "guess": ("đoán: ", "guess: "),
    "file": ("tệp {name} ({role}): {count} dòng", "file {name} ({role}): {count} rows"),
    "held": ("dữ liệu có các kỳ: {periods}", "the data hold the periods: {periods}"),
    "outputs": ("kết quả", "outputs"),
    # `explain`
    "explain_data": ("Số liệu: {test_count} phép đo hợp lệ = {sample_count} mẫu đại diện của {device_count} thiết bị trong {date_count} ngày, cửa sổ {months} tháng.", "Data: {test_count} valid tests = {sample_count} representative samples of {device_count} devices on {date_count} dates, window of {months} months."),
    "explain_failed": ("Phép đo hỏng: {failed_test_count} ({share} %).", "Failed tests: {failed_test_count} ({share} %)."),
    "explain_private": ("Tốc độ không được công bố: ít hơn {asked} thiết bị, hoặc có thể suy ra tốc độ của nhóm nhỏ.", "No speed is published: fewer than {asked} devices, or it would give away those of a small group."),
    "explain_mean": ("Trung bình theo thiết bị {mean_mbps} Mbit/s (mục tiêu {target}), trung vị {median_mbps}; {low} % thiết bị dưới 10 Mbit/s; trung bình thô theo phép đo {raw_mean_mbps}.", "Mean of device values {mean_mbps} Mbit/s (target {target}), median {median_mbps}; {low} % of devices below 10 Mbit/s; raw mean over tests {raw_mean_mbps}."),
    "explain_interval": ("Khoảng tin cậy {confidence} % từ chính các thiết bị này: {lo_mbps} – {hi_mbps} Mbit/s.", "{confidence} % interval from these devices alone: {lo_mbps} – {hi_mbps} Mbit/s."),
    "explain_probability": ("Xác suất trung bình thật dưới mục tiêu (Bayes thực nghiệm): {chance} %.", "Probability that the true mean is below the target (empirical Bayes): {chance} %."),
    "explain_no_data": ("Không có phép đo 4G hợp lệ: {reason}. Im lặng không phải là đạt.", "No valid 4G test: {reason}. Silence is not a pass."),
    "explain_passed": ("Mọi điều kiện của kết luận chắc chắn đều thoả, chỉ bằng các thiết bị của chính nó.", "Every gate of a confirmed verdict is passed, by its own devices alone."),
    "explain_open": ("Đủ số đo, nhưng xác suất chưa nghiêng hẳn về bên nào.", "There are tests enough, but the probability leans clearly to neither side."),
    "explain_failed_gates": ("Chưa kết luận chắc chắn được vì:", "No confirmed verdict because:"),
    "explain_borrowed": ("Chắc chắn nhờ bằng chứng vay mượn: cùng với số đo của các nhà mạng khác tại xã, xác suất lõm là {chance} %; các kết luận vay mượn sai dự kiến nhiều nhất {rate} %. Riêng các thiết bị của chính nó:", "Confirmed by borrowed evidence: with the tests of the commune's other operators the probability of a gap is {chance} %; at most {rate} % of such verdicts are expected to be false. By its own devices alone:"),
    "explain_flags": ("Lưu ý: {flags}.", "Flags: {flags}."),
    "explain_decide": ("Điều gì sẽ quyết định: khoảng {count} thiết bị nữa, nếu trung bình và độ phân tán giữ như hiện nay.", "What would decide it: about {count} more devices, if mean and spread stay as they are."),
    "explain_near_target": ("Điều gì sẽ quyết định: trung bình quá gần mục tiêu, thêm thiết bị cũng khó phân định.", "What would decide it: the mean is too near the target for more devices to tell."),
    "explain_skew": ("Điều gì sẽ quyết định: phân bố quá lệch (trung bình và trung bình log-chuẩn ở hai phía mục tiêu), thêm thiết bị chưa đủ.", "What would decide it: the speeds are too skewed (mean and log-normal mean lie on two sides of the target) for more devices alone to tell."),
    "explain_at_least": ("Điều gì sẽ quyết định: ít nhất {count} thiết bị nữa để có thể kết luận chắc chắn.", "What would decide it: at least {count} more devices before a confirmed verdict is possible."),
    "explain_gaps": ("Vùng lõm: {gaps}.", "Gap areas: {gaps}."),
    "explain_commune": ("Cả xã: {gap_class}. Lõm: {gap}. Đạt: {meeting}. Chưa rõ: {unknown}.", "The commune: {gap_class}. Gap: {gap}. Meets: {meeting}. Not known: {unknown}."),
    "gate_min_devices": ("  – {found} thiết bị; cần ít nhất {asked} mới nói được điều gì", "  – {found} devices; at least {asked} before anything is said"),
    "gate_min_samples": ("  – {found} mẫu đại diện; cần ít nhất {asked}", "  – {found} representative samples; at least {asked} are asked"),
    "gate_min_dates": ("  – {found} ngày đo; cần ít nhất {asked}", "  – {found} dates; at least {asked} are asked"),
    "gate_confirmed_min_devices": ("  – {found} thiết bị; kết luận chắc chắn cần {asked}", "  – {found} devices; a confirmed verdict asks {asked}"),
    "gate_confirmed_min_samples": ("  – {found} mẫu đại diện; kết luận chắc chắn cần {asked}", "  – {found} representative samples; a confirmed verdict asks {asked}"),
    "gate_confirmed_min_dates": ("  – {found} ngày đo; kết luận chắc chắn cần {asked}", "  – {found} dates; a confirmed verdict asks {asked}"),
    "gate_min_hours_apart": ("  – hai mẫu chậm cách nhau nhiều nhất {found} giờ trong ngày; cần {asked} giờ, để không chỉ là giờ cao điểm", "  – slow samples lie at most {found} h apart in the day; {asked} h are asked, so that it is not the busy hour alone"),
    "gate_interval": ("  – giới hạn khoảng tin cậy {found} Mbit/s chưa nằm hẳn một phía của mục tiêu {asked}", "  – the interval's limit, {found} Mbit/s, does not lie clear of the target of {asked}"),
    "gate_q_value": ("  – giá trị q {found}; cần không quá {asked} khi xét mọi xã × nhà mạng cùng lúc", "  – q-value {found}; at most {asked} is asked with every commune × operator considered at once"),
    "gate_leave_one_out": ("  – bỏ bớt một thiết bị thì giới hạn trên lên đến {found} Mbit/s; cần dưới {asked}", "  – without one of the devices the upper limit is {found} Mbit/s; below {asked} is asked"),
    "gate_posterior": ("  – xác suất lõm {found}; kết luận đạt cần không quá {asked}", "  – gap probability {found}; a pass asks at most {asked}"),
    "gate_device_ids": ("  – nguồn không có mã thiết bị cho mọi phép đo: nhiều nhất là «nhiều khả năng»", "  – the source does not name every device: at most probable"),
    "gate_unknown": ("  – {gate}: không tính được hoặc không được công bố", "  – {gate}: cannot be computed, or may not be published"),
    # `diff`
    "diff_same": ("hai lần chạy giống hệt nhau: cùng dữ liệu, ranh giới, cài đặt và quy tắc", "the runs are alike: same data, boundaries, settings and rules"),
    "diff_cause": ("khác nhau về {cause}: {found}", "they differ in {cause}: {found}"),
    "diff_count": ("{count} kết luận xã × nhà mạng thay đổi trong {rows}", "{count} of {rows} commune × operator verdicts changed"),
    "diff_by": ("  {cause}: {count}", "  {cause}: {count}"),
}  # fmt: skip

WORDS: Mapping[str, tuple[str, str]] = {
    "confirmed_gap": ("Lõm – chắc chắn", "Gap – confirmed"),
    "probable_gap": ("Lõm – nhiều khả năng", "Gap – probable"),
    "borderline": ("Sát ngưỡng", "Borderline"),
    "meets_target": ("Đạt", "Meets target"),
    "meets_confirmed": ("Đạt – chắc chắn", "Meets – confirmed"),
    "meets_probable": ("Đạt – nhiều khả năng", "Meets – probable"),
    "insufficient_evidence": ("Chưa đủ bằng chứng", "Not enough evidence"),
    "no_data": ("Không có dữ liệu", "No data"),
    "total_gap": ("Lõm ở mọi nhà mạng", "Gap, no operator meets"),
    "partial_gap": ("Lõm ở một số nhà mạng", "Gap, another operator meets"),
    "gap_rest_unknown": ("Có lõm, còn lại chưa rõ", "Gap, the rest unknown"),
    "no_gap_found": ("Chưa thấy lõm", "No gap found"),
    "unknown": ("Chưa rõ", "Unknown"),
    "all": ("Tất cả nhà mạng", "All operators"),
    "boundaries": ("ranh giới", "boundaries"),
    "official_300": ("đủ 300 phép đo/tháng", "official 300 tests a month"),
    "heavy_tester": ("một thiết bị đo áp đảo", "one device dominates the tests"),
    "mean_median_conflict": ("trung bình và trung vị trái nhau", "mean and median disagree"),
    "low_tail": ("nhiều thiết bị dưới 10 Mbps", "many devices below 10 Mbps"),
    "window_widened": ("đã nới cửa sổ", "window widened"),
    "no_device_id": ("nguồn không có mã thiết bị", "no device ids in the source"),
    "one_place": ("phần lớn mẫu ở một ô", "most samples in one cell"),
    "5g_masks_4g": ("5G che lấp 4G", "5G masks 4G"),
    "few_accurate_positions": ("ít vị trí chính xác", "few accurate positions"),
    "no_spread": ("các thiết bị cho cùng một giá trị", "no spread between devices"),
    "new": ("mới", "new"),
    "persisting": ("vẫn còn", "persisting"),
    "improving": ("đang cải thiện", "improving"),
    "fixed": ("đã khắc phục", "fixed"),
    "returned": ("tái xuất hiện", "returned"),
    "not_retested": ("chưa đo lại", "not retested"),
    "capacity_or_backhaul": ("dung lượng hoặc truyền dẫn", "capacity or backhaul"),
    "coverage": ("vùng phủ", "coverage"),
    "mixed": ("dấu hiệu của cả hai", "signs of both"),
    "only_busy_hours": ("chỉ chậm giờ cao điểm", "slow at busy hours only"),
    "slow_all_hours": ("chậm mọi giờ", "slow at all hours"),
    "strong_signal": ("tín hiệu mạnh", "strong signal"),
    "weak_signal": ("tín hiệu yếu", "weak signal"),
    "failed_tests": ("nhiều phép đo hỏng", "many failed tests"),
    "fallback_3g_2g": ("rơi về 3G/2G", "fallback to 3G/2G"),
    "measure": ("đo thêm trước", "measure first"),
    "optimise": ("tối ưu", "optimise"),
    "upgrade": ("nâng cấp", "upgrade"),
    "new_site": ("trạm mới", "new site"),
    "share_or_roam": ("dùng chung hạ tầng hoặc roaming", "share or roam"),
    "fund": ("hỗ trợ vốn, trạm mới", "fund a new site"),
    "sheet_title": ("Ưu tiên đầu tư vùng lõm sóng di động", "Investment priorities of mobile coverage gaps"),
    "picture_title": ("Vùng lõm sóng di động", "Mobile coverage gaps"),
    "picture_top": ("Ưu tiên đầu tư đầu tiên", "First investment priorities"),
    "sheet_summary": ("Tóm tắt", "Summary"),
    "sheet_measure": ("Đo trước", "Measure first"),
    "sheet_tracker": ("Theo dõi 300 phép đo", "300-sample tracker"),
    "sheet_participation": ("Tham gia", "Participation"),
    "reached": ("đã đủ", "reached"),
    "expected": ("dự kiến", "expected"),
    "never": ("không, theo đà hiện nay", "never, at this pace"),
    "bursts": ("đo dồn dập", "bursts"),
    "copied_rows": ("dòng chép lại", "copied rows"),
    "month_end": ("dồn cuối tháng", "month end"),
    "more": ("tăng", "more"),
    "fewer": ("giảm", "fewer"),
    "unchanged": ("không đổi", "unchanged"),
    "sheet_sharing": ("Khả năng dùng chung", "Sharing"),
    "sheet_method": ("Phương pháp và nguồn", "Method and sources"),
    "sheet_target": ("Mục tiêu tải xuống trung bình", "Target, mean download"),
    "sheet_window": ("Cửa sổ bằng chứng", "Evidence window"),
    "sheet_everywhere": ("Đạt khắp nơi: tỷ lệ xã, cận dưới – cận trên", "Target met everywhere: share of communes, bounds"),
    "sheet_communes": ("Số xã", "Communes"),
    "sheet_nothing": ("Không có dòng nào trong kỳ này.", "Nothing in this period."),
    "nobody_good": ("không nhà mạng nào đạt: trạm mới", "nobody good: new site"),
    "one_good": ("một nhà mạng đạt: dùng chung, roaming", "one good: share or roam"),
    "several_good": ("nhiều nhà mạng đạt: tự nâng cấp", "several good: own upgrade"),
    "confirmed": ("chắc chắn", "confirmed"),
    "probable": ("nhiều khả năng", "probable"),
    "none": ("chưa", "none"),
    "direct": ("trực tiếp", "direct"),
    "borrowed": ("vay mượn", "borrowed"),
    "near_target": ("quá gần mục tiêu", "too near the target"),
    "skew": ("phân bố quá lệch", "too skewed"),
    "flat": ("bằng phẳng", "flat"),
    "hilly": ("đồi", "hilly"),
    "mountainous": ("núi", "mountainous"),
    "layer_gap_areas": ("Vùng lõm", "Gap areas"),
    "layer_hexes": ("Ô lục giác", "Hexes"),
    "layer_priorities": ("Ưu tiên đầu tư", "Priorities"),
    "layer_measure_first": ("Đo trước", "Measure first"),
    "layer_communes": ("Xã, phường: kết luận", "Communes: verdicts"),
    "weak": ("yếu", "weak"),
    "not_weak": ("không yếu rõ rệt", "not clearly weak"),
    "pack_note": ("Vùng lõm sóng và ưu tiên đầu tư của {operator} – {area}, kỳ {period}. Mở coverage_gaps.html bằng trình duyệt (không cần mạng), priorities.xlsx bằng Excel, gis/coverage_gaps.qgz bằng QGIS.",
                  "Coverage gaps and investment priorities of {operator} – {area}, period {period}. Open coverage_gaps.html in a browser (no network needed), priorities.xlsx in Excel, gis/coverage_gaps.qgz in QGIS."),
    "yes": ("có", "yes"),
    "no": ("không", "no"),
    "data": ("dữ liệu", "data"),
    "boundary": ("ranh giới", "boundary"),
    "settings": ("cài đặt", "settings"),
    "rule": ("quy tắc", "rule"),
    "others": ("dữ liệu của nơi khác (phân bố tiên nghiệm, giá trị q)", "others' data (prior, q-values)"),
    "appeared": ("mới xuất hiện", "appeared"),
    "gone": ("không còn", "gone"),
    "nobody": ("không có", "none"),
    "no_test": ("chưa ai đo", "nobody tested"),
    "only_failed": ("chỉ có phép đo hỏng", "only failed tests"),
    "only_5g": ("chỉ có phép đo 5G", "only 5G tests"),
    "only_3g_2g": ("chỉ có phép đo 3G/2G", "only 3G/2G tests"),
}  # fmt: skip


# how to read a table of verdicts, in the workbook, the operators' packs and the report
METHOD_NOTE: Mapping[str, tuple[str, ...]] = {
    "vi": (
        "Một thiết bị một phiếu: các phép đo của một thiết bị trong một xã và nhà mạng được gộp thành một giá trị; trung bình là trung bình của các thiết bị.",
        "Kết luận theo xã lấy từ các phép đo nằm trong xã, từng điểm một; chỉ tính 4G. Ô lục giác chỉ cho thấy phân bố.",
        "Lõm – chắc chắn: ít nhất 10 thiết bị, 30 mẫu, 3 ngày, chậm ở hai thời điểm cách nhau ít nhất 4 giờ, khoảng 95 % nằm dưới mục tiêu kể cả khi bỏ bất kỳ thiết bị nào, q ≤ 0,05; hoặc vay mượn bằng chứng của các nhà mạng khác trong xã (cột cơ sở bằng chứng ghi rõ).",
        "Lõm – nhiều khả năng: ít nhất 5 thiết bị, 20 mẫu, 2 ngày, trung bình dưới mục tiêu và xác suất lõm ≥ 80 %.",
        "Người chờ kỳ vọng = dân số × độ sâu thiếu hụt × xác suất lõm. Chỉ số ưu tiên nhân thêm trọng số: không nhà mạng nào đạt, cơ sở công, đường chính. Hạng từ – đến cho thấy hạng dao động thế nào khi trọng số đổi ± 50 % và khi lấy mẫu lại thiết bị; trong một nhóm đồng hạng, thứ tự không có ý nghĩa.",
        "Nguyên nhân và hành động chỉ là gợi ý, có ghi căn cứ.",
        "Chưa đủ bằng chứng không phải là đạt, cũng không phải là lõm. Tốc độ của nhóm dưới 3 thiết bị không được công bố.",
    ),
    "en": (
        "One device, one vote: a device's tests in a commune and operator make one value; means are means of devices.",
        "A commune's verdict comes from the tests that lie in it, point by point; 4G only. Hexes show the pattern only.",
        "Gap – confirmed: at least 10 devices, 30 samples, 3 dates, slow at two times of day at least 4 hours apart, the 95 % interval below the target even without any one device, q ≤ 0.05; or borrowed from the evidence of the commune's other operators (the column evidence basis says so).",
        "Gap – probable: at least 5 devices, 20 samples, 2 dates, mean below the target and gap probability ≥ 80 %.",
        "Expected person-gap = people × depth × gap probability. The priority index adds weights: no operator meets the target, facilities, main road. Rank from – to shows how the rank moves when weights change by ± 50 % and devices are drawn again; within a band the order is no finding.",
        "Causes and actions are hints, with their grounds.",
        "Not enough evidence is neither a pass nor a gap. No speed of fewer than 3 devices is published.",
    ),
}


def method_note(lang: Lang) -> tuple[str, ...]:
    """How to read a table of verdicts, a paragraph each."""
    return METHOD_NOTE[lang]


def line(key: str, lang: Lang, **values: object) -> str:
    """A sentence of the log.

    >>> line("check_ok", "en")
    'inputs and settings can be used'
    """
    return LINES[key][lang == "en"].format(
        **{name: _plain(value, lang) for name, value in values.items()}
    )


def word(key: str, lang: Lang) -> str:
    """The name of a status, class, flag or reason."""
    return WORDS[key][lang == "en"]


def error_message(fault: Fault, lang: Lang) -> str:
    """A fault on one line: file, row, column, what was found and expected, how to mend it.

    >>> error_message(Fault("repeated_code", "communes.gpkg", 4, "code", {"found": "03388"}), "en")[:62]
    'communes.gpkg, row 4, column code: code 03388 is repeated; one'
    """
    place = [fault.file] if fault.file else []
    if fault.row is not None:
        place.append(f"{LINES['row'][lang == 'en']} {fault.row}")
    if fault.column:
        place.append(f"{LINES['column'][lang == 'en']} {fault.column}")
    values = {name: _plain(value, lang) for name, value in fault.values.items()}
    if fault.code == "settings_key":
        values["near"] = (
            (" (ý bạn là {}?)", " (did you mean {}?)")[lang == "en"].format(values["near"])
            if values.get("near")
            else ""
        )
    template = FAULTS[fault.code][lang == "en"]
    # braces of TOML examples are literal: only declared values are filled in
    sentence = template
    for name, value in values.items():
        sentence = sentence.replace("{" + name + "}", value)
    return f"{', '.join(place)}: {sentence}" if place else sentence


def number(value: float, lang: Lang, digits: int = 0) -> str:
    """A number for people: 1.234,5 in Vietnamese, 1,234.5 in English; half up, as one rounds by
    hand and as the map's page does.

    >>> number(1234.5, "vi", 1), number(1234.5, "en", 1), number(28.285, "en", 2)
    ('1.234,5', '1,234.5', '28.29')
    """
    if not math.isfinite(value):
        return str(value)
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    text = f"{rounded:,}"
    return text.translate(str.maketrans(",.", ".,")) if lang == "vi" else text


def _plain(value: object, lang: Lang) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int):
        return number(value, lang)
    if isinstance(value, float):
        return number(value, lang, 1 if round(value, 1) == round(value, 2) else 2)
    if isinstance(value, str):
        return value
    if isinstance(value, Iterable):
        items = [str(item) for item in value]
        return ", ".join(items[:12]) + (f" … ({len(items)})" if len(items) > 12 else "")
    return str(value)
